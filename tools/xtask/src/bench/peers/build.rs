//! Compiling and linking by `arm-none-eabi-gcc`.

use core::num::NonZeroUsize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::library::Parts;
use crate::process::{Fault, While as _, output, root, run};

const COMPILER: &str = "arm-none-eabi-gcc";

/// As for our own target, thumbv7em-none-eabihf; each function in a section of its own, so that what is not called is
/// not in the image.
pub(super) const FLAGS: [&str; 7] = [
    "-mcpu=cortex-m4",
    "-mthumb",
    "-mfloat-abi=hard",
    "-mfpu=fpv4-sp-d16",
    "-std=gnu11",
    "-ffunction-sections",
    "-fdata-sections",
];

const LINKER_FLAGS: [&str; 3] = ["-nostartfiles", "-specs=nano.specs", "-Wl,--gc-sections"];

/// How the compiler is to optimise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Optimisation {
    Speed,
    Size,
}

impl Optimisation {
    pub(super) const ALL: [Self; 2] = [Self::Speed, Self::Size];

    /// The compiler's option.
    pub(super) const fn flag(self) -> &'static str {
        match self {
            Self::Speed => "-O2",
            Self::Size => "-Os",
        }
    }
}

/// The compiler's name and version, in a line.
pub(super) fn compiler_version() -> Result<String, Fault> {
    let said = output(Command::new(COMPILER).arg("--version"))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// One library, compiled in one way.
pub(super) struct Built {
    folder: PathBuf,
    objects: Vec<PathBuf>,
    optimisation: Optimisation,
}

impl Built {
    /// Compiles it, and our file for it, in a folder that is new.
    pub(super) fn new(
        sources: &Path,
        parts: &Parts,
        optimisation: Optimisation,
        folder: PathBuf,
    ) -> Result<Self, Fault> {
        if folder.exists() {
            fs::remove_dir_all(&folder).while_doing(folder.display())?;
        }
        let theirs = folder.join("library");
        let ours = folder.join("own");
        for folder in [&theirs, &ours] {
            fs::create_dir_all(folder).while_doing(folder.display())?;
        }
        let defines = parts.defines.iter().map(|define| format!("-D{define}"));
        let headers = parts.headers.iter().map(|folder| {
            // Nobody here answers for warnings of others' headers.
            format!("-isystem{}", sources.join(folder).display())
        });
        let options: Vec<String> = defines.chain(headers).collect();
        let compile = |into: &Path| {
            let mut compiler = compiler(optimisation);
            compiler.args(&options).current_dir(into);
            compiler
        };

        in_parallel(&expand(sources, parts.files)?, |files| {
            run(compile(&theirs).arg("-w").arg("-c").args(files))
        })?;
        let own = parts.own.iter().chain(&["harness.c"]).map(|file| own_folder().join(file));
        run(compile(&ours).args(WARNINGS).arg("-c").args(own))?;
        let objects = [objects(&theirs)?, objects(&ours)?].concat();
        Ok(Self { folder, objects, optimisation })
    }

    /// What has no library in it.
    pub(super) fn nothing(optimisation: Optimisation, folder: PathBuf) -> Result<Self, Fault> {
        let parts = Parts { files: &[], headers: &[], defines: &[], own: &[] };
        Self::new(&folder.clone(), &parts, optimisation, folder)
    }

    /// Links it with a program of ours.
    pub(super) fn link(&self, program: &str, define: Option<&str>) -> Result<PathBuf, Fault> {
        let name = define.unwrap_or(program);
        let image = self.folder.join(format!("{name}.elf"));
        let mut compiler = compiler(self.optimisation);
        compiler.args(WARNINGS).args(define.map(|define| format!("-D{define}")));
        compiler.arg(own_folder().join(program)).args(&self.objects).args(LINKER_FLAGS);
        compiler.arg("-T").arg(own_folder().join("link.ld")).arg("-o").arg(&image);
        run(&mut compiler)?;
        Ok(image)
    }
}

const WARNINGS: [&str; 2] = ["-Wall", "-Wextra"];

fn compiler(optimisation: Optimisation) -> Command {
    let mut compiler = Command::new(COMPILER);
    compiler.args(FLAGS).arg(optimisation.flag());
    compiler.arg("-I").arg(own_folder()).arg("-I").arg(own_folder().join("config"));
    compiler
}

/// Our own C.
fn own_folder() -> PathBuf {
    root().join("tools/xtask/peers")
}

/// All files that the patterns name; a pattern without any is a mistake.
fn expand(folder: &Path, patterns: &[&str]) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for pattern in patterns {
        let Some((within, ending)) = pattern.split_once('*') else {
            files.push(folder.join(pattern));
            continue;
        };
        let within = folder.join(within);
        let before = files.len();
        for entry in fs::read_dir(&within).while_doing(within.display())? {
            let path = entry.while_doing(within.display())?.path();
            if path.to_string_lossy().ends_with(ending) {
                files.push(path);
            }
        }
        if files.len() == before {
            return Err(Fault::new(format!("no file is {}", folder.join(pattern).display())));
        }
    }
    // The order decides where code lies, and nothing else should.
    files.sort();
    Ok(files)
}

fn objects(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    if fs::read_dir(folder).while_doing(folder.display())?.next().is_none() {
        return Ok(Vec::new());
    }
    expand(folder, &["*.o"])
}

/// Does something with as many parts of the files as there are processors.
fn in_parallel(
    files: &[PathBuf],
    work: impl Fn(&[PathBuf]) -> Result<(), Fault> + Sync,
) -> Result<(), Fault> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = files.len().div_ceil(processors).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> =
            files.chunks(share).map(|files| scope.spawn(|| work(files))).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(Fault::new("a thread panicked")))
        })
    })
}
