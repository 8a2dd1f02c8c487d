//! `--labels DIR`: a label of each device as it passes, the same that `provision label` makes of it
//! later.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use provision_wire::DeviceSerial;

use super::claim::{self, ClaimUrl};
use super::layout::{Dpi, Size};
use super::{Facts, Format, Look};
use crate::books::Books;
use crate::fault::Fault;
use crate::files;

/// Whether labels are kept, and what they look like.
#[derive(Debug, Args)]
pub(crate) struct LabelsArguments {
    /// Directory for the label of each device that passes, a file each, as `provision label` makes
    /// it. One that is there stays as it is.
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,

    /// For what printer or program.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Png,
          requires = "labels")]
    pub label_format: Format,

    /// What the QR code says: `{device}`, `{sha256}` and `{cert_serial}` stand for the device's own,
    /// encoded for a URL.
    #[arg(long, value_name = "TEMPLATE", default_value = claim::DEFAULT, requires = "labels")]
    pub label_claim_url: ClaimUrl,

    /// Width and height of a label, in millimetres.
    #[arg(long, value_name = "WxH", default_value = "50x25", requires = "labels")]
    pub label_size: Size,

    /// Dots of the labels' printer, an inch.
    #[arg(long, value_name = "DPI", value_enum, default_value_t = Dpi::Dpi203,
          requires = "labels")]
    pub label_dpi: Dpi,
}

/// A directory of labels.
#[derive(Debug)]
pub(crate) struct Labels {
    dir: PathBuf,
    look: Look,
}

impl Labels {
    /// If labels are wanted: sees to it that the directory takes one, and that there is room on it,
    /// before any device is touched.
    pub(crate) fn open(arguments: &LabelsArguments) -> Result<Option<Self>, Fault> {
        let Some(dir) = &arguments.labels else { return Ok(None) };
        let look = Look {
            format: arguments.label_format,
            claim_url: arguments.label_claim_url.clone(),
            size: arguments.label_size,
            dpi: arguments.label_dpi,
        };
        // As short as a name can be: for what has no room for this one, none has.
        let sample = Facts {
            device: "1".into(),
            sha256: "0".repeat(64),
            cert_serial: "0".repeat(40),
            lot: None,
        };
        let sample = look.draw(&sample)?;
        files::probe(dir, sample.len())
            .map_err(|cause| Fault::Labels { dir: dir.clone(), cause })?;
        Ok(Some(Self { dir: dir.clone(), look }))
    }

    /// Writes the label of a device that has passed: whole, or not at all.
    pub(crate) fn keep(&self, books: &Books, device: &DeviceSerial) -> Result<(), Fault> {
        self.write(books, device).map_err(|why| Fault::LabelLost {
            device: device.to_string(),
            dir: self.dir.clone(),
            why: why.to_string(),
        })
    }

    fn write(&self, books: &Books, device: &DeviceSerial) -> Result<(), Fault> {
        let facts = Facts::newest(device, |each| books.search_device(device, each))?;
        let (name, label) = (self.look.name_of(&facts), self.look.draw(&facts)?);
        let path = self.dir.join(&name);
        match fs::read(&path) {
            Ok(there) if there == label => return Ok(()),
            // It is on a device, perhaps: whoever knows may put it away.
            Ok(_) => return Err(Fault::Differs { path, is_secret: false }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Fault::Read { path, cause }),
        }
        files::write_whole(&self.dir, &name, &label).map_err(|cause| Fault::Write { path, cause })
    }
}
