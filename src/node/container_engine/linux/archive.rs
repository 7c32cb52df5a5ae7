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
        let size = entry.size();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        if bytes.len() as u64 != size {
            return Err(format!("it is no whole tar: it ends inside {name}"));
        }
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::images::{Recipe, build};
    use super::*;
    use tempfile::TempDir;

    /// An archive of one image.
    pub(crate) fn archive_of(folder: &TempDir, recipe: &Recipe) -> Vec<u8> {
        changed(folder, recipe, |_, bytes| Some(bytes))
    }

    /// An archive, with what `change` makes of its blobs.
    fn archive(folder: &TempDir, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
        changed(folder, &Recipe::program("shop/web:1", &["run"]), change)
    }

    fn changed(
        folder: &TempDir,
        recipe: &Recipe,
        change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>,
    ) -> Vec<u8> {
        let blobs = folder.path().join("from");
        files::make_folder(&blobs).unwrap();
        let image = build(recipe, &blobs).unwrap();
        let manifest = files::bytes(blobs.join(&image.manifest[7..])).unwrap();
        let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
            "mediaType": image.media_type, "digest": image.manifest, "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "shop/web:1"},
        }]});
        let mut tar = tar::Builder::new(Vec::new());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        add("index.json", index.to_string().as_bytes());
        for blob in files::names(&blobs) {
            let bytes = files::bytes(blobs.join(&blob)).unwrap();
            if let Some(bytes) = change(&blob, bytes) {
                add(&format!("blobs/sha256/{blob}"), &bytes);
            }
        }
        tar.into_inner().unwrap()
    }

    fn read(folder: &TempDir, bytes: &[u8]) -> Result<Vec<Built>, String> {
        let (path, blobs) = (folder.path().join("x.tar"), folder.path().join("to"));
        files::write(&path, bytes).unwrap();
        files::make_folder(&blobs).unwrap();
        read_archive(&path, &blobs).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn an_archive_is_read_with_its_names() {
        let folder = TempDir::new().unwrap();
        let images = read(&folder, &archive(&folder, |_, bytes| Some(bytes))).unwrap();
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].names, ["shop/web:1"]);
        assert!(images[0].bytes > 1000);
    }

    #[test]
    fn a_broken_archive_is_refused_with_what_is_wrong() {
        let folder = TempDir::new().unwrap();
        let whole = archive(&folder, |_, bytes| Some(bytes));
        let garble = |_: &str, mut bytes: Vec<u8>| {
            bytes[20] ^= 1;
            Some(bytes)
        };
        let lose_big = |_: &str, bytes: Vec<u8>| (bytes.len() < 100_000).then_some(bytes);
        for (bytes, said) in [
            (archive(&folder, garble), "is garbled: it is sha256:"),
            (archive(&folder, lose_big), "is missing"),
            (whole[..whole.len() / 2].to_vec(), "it is no whole tar"),
            (b"PK\x03\x04 this is no tar at all".repeat(50), "it is no whole tar"),
            (Vec::new(), "no index.json in it"),
            (vec![0x1f, 0x8b, 8, 0], "it is no whole tar"),
        ] {
            let told = read(&folder, &bytes).unwrap_err();
            assert!(told.contains(said), "{told}");
        }
    }
}
