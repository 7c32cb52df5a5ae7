//! Images made here: the program of this room, and as much filling as is wanted.
//!
//! Size, layers and number of files are variables of their own, so that what a pull costs can be told apart.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::error::Trouble;
use super::files;

/// The program in every image made here, as one static file; see its own source for what it can do.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/program"));
/// Where it lies in an image.
const PROGRAM_PATH: &str = "program";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What an image holds besides its program: half of it can be compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filling {
    /// Bytes over all files, unpacked.
    pub bytes: u64,
    /// Files over all layers; at least one if there are bytes.
    pub files: u32,
    /// Layers the files are spread over; at least one if there are bytes.
    pub layers: u32,
}

/// What an image is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// What sets it apart: images of other names have other ids and other filling, so that none is there
    /// because another was fetched.
    pub name: String,
    /// Its entrypoint; `/program` for most.
    pub entrypoint: Vec<String>,
    /// Its arguments, of which a container's own take the place.
    pub arguments: Vec<String>,
    /// What else is in it.
    pub filling: Filling,
}

impl Recipe {
    /// An image that runs the program with these arguments, of which a container's own take the place.
    pub fn program(name: &str, arguments: &[&str]) -> Recipe {
        Recipe {
            name: name.to_owned(),
            entrypoint: vec!["/program".to_owned()],
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            filling: Filling::default(),
        }
    }
}

/// An image that is made: its blobs lie in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
    /// The names it was built or archived under.
    pub names: Vec<String>,
    /// The digest of its manifest.
    pub manifest: String,
    /// The manifest's media type.
    pub media_type: String,
    /// Bytes of its layers and config, as they are fetched.
    pub bytes: u64,
    /// The folder its blobs lie in, by the hexadecimal part of their digests.
    pub(super) blobs: PathBuf,
}

/// A blob as a manifest names it.
pub(super) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Writes a blob under its digest.
pub(super) fn keep(blobs: &Path, bytes: &[u8]) -> Result<String, Trouble> {
    let digest = digest(bytes);
    files::write(&blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
    Ok(digest)
}

/// Builds an image; its blobs go to the folder `blobs`, which must be there.
///
/// # Errors
/// The folder cannot be written.
pub fn build(recipe: &Recipe, blobs: &Path) -> Result<Built, Trouble> {
    let mut layers = vec![layer(&mut |tar| add(tar, PROGRAM_PATH, 0o755, PROGRAM))?];
    let Filling { bytes, files, layers: count } = recipe.filling;
    let seed = digest(recipe.name.as_bytes());
    let mut filler = Filler::new(seed.as_bytes());
    let files = if bytes > 0 { files.max(1) } else { files };
    let count = if files > 0 { count.max(1) } else { 0 };
    for at in 0..count {
        let share = |whole: u64| {
            whole * u64::from(at + 1) / u64::from(count) - whole * u64::from(at) / u64::from(count)
        };
        let (files, bytes) = (share(files.into()), share(bytes));
        layers.push(layer(&mut |tar| {
            for file in 0..files {
                let size = bytes * (file + 1) / files - bytes * file / files;
                let path = format!("filling/{at}/{:03}/{file}", file / 256);
                add(tar, &path, 0o644, &filler.take(size))?;
            }
            Ok(())
        })?);
    }
    let mut described = Vec::new();
    let mut size = 0;
    for (packed, _) in &layers {
        let digest = keep(blobs, packed)?;
        size += packed.len() as u64;
        described.push(json!({"mediaType": LAYER, "digest": digest, "size": packed.len()}));
    }
    let unpacked: Vec<&str> = layers.iter().map(|(_, digest)| digest.as_str()).collect();
    let config = json!({
        "architecture": architecture(), "os": "linux",
        "config": {
            "Entrypoint": recipe.entrypoint, "Cmd": recipe.arguments,
            "Labels": {"wavetank.dev/image": recipe.name},
        },
        "rootfs": {"type": "layers", "diff_ids": unpacked},
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": keep(blobs, &config)?, "size": config.len()},
        "layers": described,
    });
    Ok(Built {
        names: vec![recipe.name.clone()],
        manifest: keep(blobs, manifest.to_string().as_bytes())?,
        media_type: MANIFEST.to_owned(),
        bytes: size + config.len() as u64,
        blobs: blobs.to_owned(),
    })
}

/// The architecture as images name it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Bytes of a manifest and its media type, read from its own words.
pub(super) fn media_type(manifest: &Value) -> String {
    manifest["mediaType"].as_str().unwrap_or(MANIFEST).to_owned()
}

type Tar = tar::Builder<Vec<u8>>;

/// A layer, packed, and the digest of what it unpacks to.
fn layer(
    fill: &mut dyn FnMut(&mut Tar) -> std::io::Result<()>,
) -> Result<(Vec<u8>, String), Trouble> {
    let failed = |error| Trouble::machine("an image cannot be packed", error);
    let mut tar = Tar::new(Vec::new());
    fill(&mut tar).map_err(failed)?;
    let plain = tar.into_inner().map_err(failed)?;
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&plain).map_err(failed)?;
    Ok((packer.finish().map_err(failed)?, digest(&plain)))
}

fn add(tar: &mut Tar, path: &str, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
}

/// Bytes of which every second 64 can be compressed, the same ones for the same seed.
struct Filler(ChaCha8Rng);

impl Filler {
    fn new(seed: &[u8]) -> Filler {
        let mut key = [0; 32];
        key.iter_mut().zip(seed).for_each(|(to, from)| *to = *from);
        Filler(ChaCha8Rng::from_seed(key))
    }

    fn take(&mut self, size: u64) -> Vec<u8> {
        let mut bytes = vec![0; size as usize];
        for chunk in bytes.chunks_mut(128) {
            let half = chunk.len().div_ceil(2);
            self.0.fill_bytes(&mut chunk[..half]);
        }
        bytes
    }
}
