//! Images of the user's own: OCI archives, as `skopeo copy .. oci-archive:x.tar`, `podman save --format
//! oci-archive` and `docker save` (25 and newer) write them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::error::Trouble;
use super::files;
use super::images::{Built, architecture, keep, media_type};

/// Most bytes of an archive, unpacked.
const BYTES_MAX: u64 = 16 << 30;
/// Indexes of indexes: no more than so deep.
const DEPTH_MAX: u32 = 4;

/// Reads an OCI archive (a tar, gzipped or not) and puts its blobs into the folder `blobs`, each checked against
/// its digest. Gives the images of this machine's architecture that it names.
///
/// # Errors
/// The file cannot be read, is no OCI archive, or lacks or garbles a blob: which one is said.
pub fn read_archive(path: &Path, blobs: &Path) -> Result<Vec<Built>, Trouble> {
    let wrong = |why: String| Trouble::Input(format!("{}: {why}", path.display()));
    let mut file = files::open(path)?;
    let mut start = [0; 2];
    let count = file.read(&mut start).map_err(|error| wrong(error.to_string()))?;
    let file = files::open(path)?;
    let reader: Box<dyn Read> = match (count, start) {
        (2, [0x1f, 0x8b]) => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let (index, found) = unpack(reader.take(BYTES_MAX), blobs).map_err(wrong)?;
    let index = index.ok_or_else(|| {
        wrong(
            "no index.json in it: it is no OCI archive (docker save before 25 writes none)".into(),
        )
    })?;
    let archive = Archive { blobs, found };
    let mut images = Vec::new();
    archive.images(&index, &[], DEPTH_MAX, &mut images).map_err(wrong)?;
    if images.is_empty() {
        return Err(wrong(format!("no image for {} in it", architecture())));
    }
    if let Some(image) = images.iter().find(|image| image.names.is_empty()) {
        let digest = &image.manifest;
        return Err(wrong(format!("image {digest} has no name: name it when it is saved")));
    }
    Ok(images)
}

type Unpacked = (Option<Value>, BTreeMap<String, u64>);

/// The index, and the sizes of blobs by their digests.
fn unpack(reader: impl Read, blobs: &Path) -> Result<Unpacked, String> {
    let broken = |error: std::io::Error| format!("it is no whole tar: {error}");
    let (mut index, mut found) = (None, BTreeMap::new());
    let mut tar = tar::Archive::new(reader);
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        let name = name.trim_start_matches("./");
        let wanted = name.strip_prefix("blobs/sha256/").filter(|hex| !hex.is_empty());
        if name != "index.json" && wanted.is_none() {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        match wanted {
            None => {
                let read = serde_json::from_slice(&bytes);
                index = Some(read.map_err(|error| format!("index.json is no JSON: {error}"))?);
            }
            Some(hex) => {
                let digest = keep(blobs, &bytes).map_err(|error| error.to_string())?;
                if digest != format!("sha256:{hex}") {
                    return Err(format!("blob sha256:{hex} is garbled: it is {digest}"));
                }
                found.insert(digest, bytes.len() as u64);
            }
        }
    }
    Ok((index, found))
}

struct Archive<'a> {
    blobs: &'a Path,
    found: BTreeMap<String, u64>,
}

impl Archive<'_> {
    /// Goes through an index, and those it names.
    fn images(
        &self,
        index: &Value,
        names: &[String],
        depth: u32,
        into: &mut Vec<Built>,
    ) -> Result<(), String> {
        for entry in index["manifests"].as_array().into_iter().flatten() {
            let of = entry["platform"]["architecture"].as_str();
            if of.is_some_and(|of| of != architecture()) {
                continue;
            }
            let digest = entry["digest"].as_str().unwrap_or_default();
            let blob = self.json(digest)?;
            let mut names = names.to_vec();
            for key in ["io.containerd.image.name", "org.opencontainers.image.ref.name"] {
                let name = entry["annotations"][key].as_str();
                names.extend(name.filter(|_| names.is_empty()).map(str::to_owned));
            }
            if blob["manifests"].is_array() {
                if depth == 0 {
                    return Err("its indexes lie too deep".to_owned());
                }
                self.images(&blob, &names, depth - 1, into)?;
                continue;
            }
            let mut bytes = 0;
            for part in
                [&blob["config"]].into_iter().chain(blob["layers"].as_array().into_iter().flatten())
            {
                let digest = part["digest"].as_str().unwrap_or_default();
                bytes += self.found.get(digest).ok_or_else(|| missing(digest))?;
            }
            into.push(Built {
                names,
                manifest: digest.to_owned(),
                media_type: media_type(&blob),
                bytes,
                blobs: self.blobs.to_owned(),
            });
        }
        Ok(())
    }

    fn json(&self, digest: &str) -> Result<Value, String> {
        let hex = digest.trim_start_matches("sha256:");
        let is_there = self.found.contains_key(digest);
        let bytes = is_there.then(|| files::bytes(self.blobs.join(hex))).flatten();
        let bytes = bytes.ok_or_else(|| missing(digest))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("blob {digest} is no JSON: {error}"))
    }
}

fn missing(digest: &str) -> String {
    format!("blob {digest} is missing")
}
