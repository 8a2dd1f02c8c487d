//! What a server does, step by step.

/// One thing a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answers the ClientHello; what follows is encrypted.
    ServerHello,
    /// The meaningless record of middlebox compatibility.
    ChangeCipherSpec,
    /// Encrypted handshake message, as are the following.
    EncryptedExtensions,
    /// Asks for the client's certificate.
    CertificateRequest,
    /// Sends the chain of the credentials.
    Certificate,
    /// Sends a Certificate message without any certificate.
    EmptyCertificate,
    /// Signs the transcript.
    CertificateVerify,
    /// Signs something else.
    WrongCertificateVerify,
    /// A correct signature, called ecdsa_secp384r1_sha384.
    MislabelledCertificateVerify,
    /// Closes the server's part of the handshake; what follows is under application keys.
    Finished,
    /// A Finished that does not fit, under handshake keys.
    WrongFinished,
    /// Any handshake message (header included), encrypted, and counted in the transcript.
    Handshake(Vec<u8>),
    /// The handshake messages of several steps in one record.
    Together(Vec<Self>),
    /// One handshake message split over two records.
    Split(Box<Self>),
    /// One handshake message with the bits of a mask flipped in one byte, or in its last one if it is
    /// shorter, encrypted and counted in the transcript as it is then.
    Mutated(Box<Self>, usize, u8),
    /// Waits for the client's Finished.
    AwaitClient,
    /// Waits for application data and sends it back.
    Echo,
    /// Sends application data.
    Send(Vec<u8>),
    /// An encrypted alert.
    Alert(u8),
    /// An encrypted record of this inner plaintext, verbatim: content, type, padding.
    Sealed(Vec<u8>),
    /// An encrypted record with one bit changed on the way.
    Tampered(Vec<u8>),
    /// Bytes as they are, between records or as records.
    Raw(Vec<u8>),
    /// The first bytes of what a step would send, and then nothing more.
    Cut(Box<Self>, usize),
    /// Closes the socket without a word.
    HangUp,
}

impl Step {
    /// The server's Finished, even if a bit is wrong in it.
    pub(super) fn ends_flight(&self) -> bool {
        match self {
            Self::Finished => true,
            Self::Mutated(step, ..) => step.ends_flight(),
            _ => false,
        }
    }
}

/// The steps of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(pub(super) Vec<Step>);

impl Script {
    /// An honest server that asks for a client certificate, sends back what it is sent, and takes
    /// leave.
    #[must_use]
    pub fn honest() -> Self {
        Self(vec![
            Step::ServerHello,
            Step::ChangeCipherSpec,
            Step::EncryptedExtensions,
            Step::CertificateRequest,
            Step::Certificate,
            Step::CertificateVerify,
            Step::Finished,
            Step::AwaitClient,
            Step::Echo,
            Step::Alert(super::alert::CLOSE_NOTIFY),
        ])
    }

    /// These steps and no others.
    #[must_use]
    pub fn of(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// The same, leaving out `step`.
    ///
    /// # Panics
    ///
    /// If `step` is not in it, here and below: the change would not be one.
    #[must_use]
    pub fn without(mut self, step: Step) -> Self {
        let at = self.place_of(&step);
        self.0.remove(at);
        self
    }

    /// The same, with `other` in place of `step`.
    #[must_use]
    pub fn replacing(mut self, step: Step, other: Step) -> Self {
        let at = self.place_of(&step);
        self.0[at] = other;
        self
    }

    /// The same, with `other` right after `step`.
    #[must_use]
    pub fn after(mut self, step: Step, other: Step) -> Self {
        let at = self.place_of(&step);
        self.0.insert(at + 1, other);
        self
    }

    /// The same, with `step` moved to just before `other`.
    #[must_use]
    pub fn moving(self, step: Step, other: Step) -> Self {
        let mut script = self.without(step.clone());
        let at = script.place_of(&other);
        script.0.insert(at, step);
        script
    }

    /// The same up to and including `step`, and then the socket closes.
    #[must_use]
    pub fn until(mut self, step: Step) -> Self {
        let at = self.place_of(&step);
        self.0.truncate(at + 1);
        self.0.push(Step::HangUp);
        self
    }

    fn place_of(&self, step: &Step) -> usize {
        self.0
            .iter()
            .position(|other| other == step)
            .unwrap_or_else(|| panic!("{step:?} is not in {:?}", self.0))
    }
}
