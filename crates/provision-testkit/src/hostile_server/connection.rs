//! One connection: the script is played, and everything that comes is noted.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
};

use ring::{
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    rand::{SecureRandom as _, SystemRandom},
    signature,
};

use super::{
    Credentials, PATIENCE, Script, Seen, Step,
    client_hello::{Bytes, ClientHello},
    key_schedule::{RecordKeys, Secret, Secrets, Transcript, finished},
    messages,
};

pub(super) fn serve(socket: &TcpStream, credentials: Credentials, script: Script) -> Seen {
    let mut connection = Connection::new(socket, credentials);
    // A script ends early when the client has left: that is what many are for.
    let _ = connection.play(script);
    connection.seen
}

/// What leads to the client.
pub(super) trait Wire: Read + Write {
    /// Nothing more is sent or received.
    fn hang_up(&mut self) -> io::Result<()>;

    /// Nothing more is sent.
    fn end_sending(&mut self) -> io::Result<()>;
}

impl Wire for &TcpStream {
    fn hang_up(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }

    fn end_sending(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

pub(super) struct Connection<W> {
    pub(super) wire: W,
    credentials: Credentials,
    transcript: Transcript,
    hello: ClientHello,
    secrets: Option<Secrets>,
    client_handshake: Secret,
    server_handshake: Secret,
    write_keys: Option<RecordKeys>,
    /// The client's keys so far: handshake, then application.
    read_keys: Vec<RecordKeys>,
    pub(super) seen: Seen,
}

impl Connection<&TcpStream> {
    fn play(&mut self, script: Script) -> io::Result<()> {
        self.wire.set_read_timeout(Some(PATIENCE))?;
        self.wire.set_write_timeout(Some(PATIENCE))?;
        self.wire.set_nodelay(true)?;

        self.await_client_hello()?;
        let played = script.0.into_iter().try_for_each(|step| self.step(step));
        // Whether or not the script came to its end: what does the client still say?
        self.hear_out();
        played
    }
}

impl<W: Wire> Connection<W> {
    pub(super) fn new(wire: W, credentials: Credentials) -> Self {
        Self {
            wire,
            credentials,
            transcript: Transcript::new(),
            hello: ClientHello::default(),
            secrets: None,
            client_handshake: [0; 32],
            server_handshake: [0; 32],
            write_keys: None,
            read_keys: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Notes what the client says until it ends, or cannot be understood.
    pub(super) fn hear_out(&mut self) {
        while self.read_record().is_ok() {}
    }

    pub(super) fn step(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::AwaitClient => {
                while self.seen.finished.is_none() {
                    self.read_record()?;
                }
                Ok(())
            }
            Step::Echo => {
                let heard = self.seen.application_data.len();
                while self.seen.application_data.len() == heard {
                    self.read_record()?;
                }
                self.step(Step::Send(self.seen.application_data[heard..].to_vec()))
            }
            Step::HangUp => self.wire.hang_up(),
            Step::Cut(step, len) => {
                let bytes = self.bytes_of(*step);
                self.wire.write_all(&bytes[..len])?;
                self.wire.end_sending()
            }
            step => {
                let bytes = self.bytes_of(step);
                self.wire.write_all(&bytes)
            }
        }
    }

    /// What a step puts on the wire.
    fn bytes_of(&mut self, step: Step) -> Vec<u8> {
        match step {
            Step::ServerHello => self.server_hello(),
            Step::ChangeCipherSpec => messages::record(messages::CHANGE_CIPHER_SPEC, &[1]),
            Step::Alert(description) => self.seal(&[2, description], messages::ALERT),
            Step::Send(data) => self.seal(&data, messages::ENCRYPTED),
            Step::Sealed(inner) => self.keys().seal(&inner),
            Step::Tampered(inner) => {
                let mut record = self.keys().seal(&inner);
                *record.last_mut().expect("a record") ^= 1;
                record
            }
            Step::Raw(bytes) => bytes,
            Step::Together(steps) => {
                let messages: Vec<u8> =
                    steps.into_iter().flat_map(|step| self.message_of(step)).collect();
                self.seal(&messages, messages::HANDSHAKE)
            }
            Step::Split(step) => {
                let message = self.message_of(*step);
                let (first, second) = message.split_at(message.len() / 2);
                [first, second].map(|part| self.seal(part, messages::HANDSHAKE)).concat()
            }
            step => {
                let is_last = step.ends_flight();
                let message = self.message_of(step);
                let record = self.seal(&message, messages::HANDSHAKE);
                if is_last {
                    self.switch_to_application_keys();
                }
                record
            }
        }
    }

    /// A handshake message, added to the transcript.
    fn message_of(&mut self, step: Step) -> Vec<u8> {
        let key = &self.credentials.key_pkcs8;
        let message = match step {
            Step::EncryptedExtensions => messages::encrypted_extensions(),
            Step::CertificateRequest => messages::certificate_request(),
            Step::Certificate => messages::certificate(&self.credentials.chain),
            Step::EmptyCertificate => messages::certificate(&[]),
            Step::CertificateVerify => messages::certificate_verify(key, &self.transcript.hash()),
            Step::WrongCertificateVerify => messages::certificate_verify(key, &[0x5a; 32]),
            Step::MislabelledCertificateVerify => {
                messages::mislabelled_certificate_verify(key, &self.transcript.hash())
            }
            Step::Finished => messages::message(
                messages::FINISHED,
                &finished(&self.server_handshake, &self.transcript),
            ),
            Step::WrongFinished => messages::message(messages::FINISHED, &[0x5a; 32]),
            Step::Handshake(message) => message,
            Step::Mutated(step, at, mask) => {
                // Built apart, so that the transcript has it as it is sent.
                let before = self.transcript.clone();
                let mut message = self.message_of(*step);
                self.transcript = before;
                // A signature in DER is shorter now and then; then it is the last byte.
                let last = message.len() - 1;
                message[at.min(last)] ^= mask;
                message
            }
            step => panic!("{step:?} is no handshake message"),
        };
        self.transcript.add(&message);
        message
    }

    fn server_hello(&mut self) -> Vec<u8> {
        let random = SystemRandom::new();
        let mut server_random = [0; 32];
        random.fill(&mut server_random).expect("random bytes");
        let ours = EphemeralPrivateKey::generate(&ECDH_P256, &random).expect("a key");
        let public = ours.compute_public_key().expect("its public half");
        let message =
            messages::server_hello(&server_random, &self.hello.session_id, public.as_ref());
        self.transcript.add(&message);

        let theirs = UnparsedPublicKey::new(&ECDH_P256, &self.hello.key_share);
        let secrets = agree_ephemeral(ours, &theirs, Secrets::from_shared)
            .expect("a share on P-256 in the ClientHello");
        [self.client_handshake, self.server_handshake] =
            secrets.handshake_traffic(&self.transcript);
        self.write_keys = Some(RecordKeys::new(&self.server_handshake));
        self.read_keys.push(RecordKeys::new(&self.client_handshake));
        self.secrets = Some(secrets);
        messages::record(messages::HANDSHAKE, &message)
    }

    fn switch_to_application_keys(&mut self) {
        let secrets = self.secrets.as_ref().expect("a ServerHello before Finished");
        let [client, server] = secrets.application_traffic(&self.transcript);
        self.write_keys = Some(RecordKeys::new(&server));
        self.read_keys.push(RecordKeys::new(&client));
    }

    fn keys(&mut self) -> &mut RecordKeys {
        self.write_keys.as_mut().expect("a ServerHello before encrypted records")
    }

    fn seal(&mut self, content: &[u8], content_type: u8) -> Vec<u8> {
        let inner = [content, &[content_type]].concat();
        self.keys().seal(&inner)
    }

    pub(super) fn await_client_hello(&mut self) -> io::Result<()> {
        let (content_type, body) = self.next_record()?;
        if content_type != messages::HANDSHAKE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.transcript.add(&body);
        let mut bytes = Bytes(&body);
        self.hello = (bytes.number::<1>() == Some(usize::from(messages::CLIENT_HELLO)))
            .then(|| bytes.counted::<3>().and_then(|message| ClientHello::parse(message.0)))
            .flatten()
            .ok_or(io::ErrorKind::InvalidData)?;
        self.seen.client_hello = true;
        self.seen.server_name.clone_from(&self.hello.server_name);
        self.seen.alpn.clone_from(&self.hello.alpn);
        Ok(())
    }

    fn next_record(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 5];
        self.wire.read_exact(&mut header)?;
        let [content_type, _, _, high, low] = header;
        let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.wire.read_exact(&mut body)?;
        Ok((content_type, body))
    }

    fn read_record(&mut self) -> io::Result<()> {
        let (content_type, body) = self.next_record()?;
        self.seen.records_after_hello += 1;
        if content_type != messages::ENCRYPTED {
            self.note(content_type, &body);
            return Ok(());
        }
        // The latest keys first; which are in use is for the client to say.
        match self.read_keys.iter_mut().rev().find_map(|keys| keys.open(&body)) {
            Some((content, content_type)) => self.note(content_type, &content),
            None => self.seen.undecipherable += 1,
        }
        Ok(())
    }

    fn note(&mut self, content_type: u8, content: &[u8]) {
        match content_type {
            messages::HANDSHAKE => {
                let mut bytes = Bytes(content);
                while !bytes.0.is_empty() {
                    let whole = bytes.0;
                    let message = bytes.number::<1>().zip(bytes.counted::<3>());
                    let Some((message_type, body)) = message else {
                        self.seen.undecipherable += 1;
                        return;
                    };
                    self.note_handshake(message_type, body);
                    self.transcript.add(&whole[..whole.len() - bytes.0.len()]);
                }
            }
            messages::ALERT => self.seen.alerts.extend(content.get(1)),
            messages::ENCRYPTED => self.seen.application_data.extend_from_slice(content),
            _ => self.seen.undecipherable += 1,
        }
    }

    fn note_handshake(&mut self, message_type: usize, mut body: Bytes<'_>) {
        match u8::try_from(message_type) {
            Ok(messages::CERTIFICATE) => {
                body.counted::<1>();
                let mut entries = body.counted::<3>().unwrap_or(Bytes(&[]));
                while let Some(der) = entries.counted::<3>() {
                    self.seen.certificates.push(der.0.to_vec());
                    entries.counted::<2>();
                }
            }
            Ok(messages::CERTIFICATE_VERIFY) => {
                body.take(2);
                let signature = body.counted::<2>().unwrap_or(Bytes(&[])).0;
                let message = messages::to_be_signed("client", &self.transcript.hash());
                let signed = ring::digest::digest(&ring::digest::SHA256, &message);
                self.seen.signed_sha256 = signed.as_ref().try_into().ok();
                let valid = self
                    .seen
                    .certificates
                    .first()
                    .and_then(|der| p256_key_in(der))
                    .is_some_and(|key| {
                        signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, key)
                            .verify(&message, signature)
                            .is_ok()
                    });
                self.seen.certificate_verify = Some(valid);
            }
            Ok(messages::FINISHED) => {
                let expected = finished(&self.client_handshake, &self.transcript);
                self.seen.finished = Some(body.0 == expected);
            }
            _ => {}
        }
    }
}

/// The point after the one way to write a SubjectPublicKeyInfo for P-256 in DER.
fn p256_key_in(certificate: &[u8]) -> Option<&[u8]> {
    const BEFORE_POINT: &[u8] = &[
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let at = certificate.windows(BEFORE_POINT.len()).position(|window| window == BEFORE_POINT)?;
    certificate.get(at + BEFORE_POINT.len()..)?.get(..65)
}
