//! A registry on the loopback interface: as much of the distribution API as a pull asks for.
//!
//! Runtimes talk plain HTTP to loopback addresses without being told to, so an image `web:1` is pulled as
//! `127.0.0.1:PORT/web:1`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::Trouble;
use super::files;
use super::images::Built;

/// How many bytes of a request line and of all headers are read.
const REQUEST_MAX: usize = 16 << 10;

#[derive(Default)]
struct Shelves {
    /// Manifests by (repository, tag).
    tags: BTreeMap<(String, String), (String, String)>,
    /// Media types of manifests, by digest.
    manifests: BTreeMap<String, String>,
    /// Where blobs lie, manifests among them, by digest.
    blobs: BTreeMap<String, PathBuf>,
}

/// A registry that serves what it is given.
pub struct Registry {
    port: u16,
    shelves: Arc<Mutex<Shelves>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry of no image, on a free port.
    ///
    /// # Errors
    /// No port is free on 127.0.0.1.
    pub fn start() -> Result<Registry, Trouble> {
        let failed = |error| Trouble::machine("the registry cannot listen on 127.0.0.1", error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let shelves = Arc::new(Mutex::new(Shelves::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (served, over) = (shelves.clone(), is_over.clone());
        let accept = move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let shelves = served.clone();
                let serve = std::thread::Builder::new().name("registry".to_owned());
                // A client that gets no thread gets no answer, and says so.
                let _ = serve.spawn(move || talk(&stream, &shelves));
            }
        };
        let thread = std::thread::Builder::new().name("registry".to_owned()).spawn(accept);
        Ok(Registry { port, shelves, is_over, thread: Some(thread.map_err(failed)?) })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves an image under a name as manifests write it (`nginx`, `shop/web:1`, `registry.example/a/b:2`);
    /// gives the name it is pulled by.
    pub fn offer(&self, name: &str, image: &Built) -> String {
        let (repository, tag) = parts(name);
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest = (image.manifest.clone(), image.media_type.clone());
        shelves.manifests.insert(manifest.0.clone(), manifest.1.clone());
        for blob in files::names(&image.blobs) {
            let path = image.blobs.join(&blob);
            shelves.blobs.insert(format!("sha256:{blob}"), path);
        }
        shelves.tags.insert((repository, tag), manifest);
        self.reference(name)
    }

    /// The name an image is pulled by from here, whether it is there or not.
    pub fn reference(&self, name: &str) -> String {
        let (repository, tag) = parts(name);
        let sign = if tag.starts_with("sha256:") { '@' } else { ':' };
        format!("127.0.0.1:{}/{repository}{sign}{tag}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a client.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Repository and tag (or digest) of an image's name; a port among the letters of a host is kept as a letter,
/// for a repository has none.
fn parts(name: &str) -> (String, String) {
    let (rest, digest) = match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (name, None),
    };
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (repository, tag) = match rest[slash..].find(':') {
        Some(colon) => (&rest[..slash + colon], &rest[slash + colon + 1..]),
        None => (rest, "latest"),
    };
    let repository = repository.replace(':', "-").to_lowercase();
    (repository, digest.unwrap_or(tag).to_owned())
}

/// Answers one client until it goes.
fn talk(stream: &TcpStream, shelves: &Mutex<Shelves>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut reader = BufReader::new(stream);
    while let Some((method, path)) = request(&mut reader) {
        let answered = answer(stream, &method, &path, shelves);
        if answered.is_err() {
            return;
        }
    }
}

/// The next request's method and path; its headers say nothing we need.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<(String, String)> {
    let mut first = None;
    let mut left = REQUEST_MAX;
    loop {
        let mut line = String::new();
        let count = reader.read_line(&mut line).ok()?;
        left = left.checked_sub(count)?;
        match line.trim_end() {
            "" if count > 0 && first.is_some() => return first,
            "" => return None,
            text if first.is_none() => {
                let mut words = text.split(' ');
                let (method, path) = (words.next()?, words.next()?);
                first = Some((method.to_owned(), path.to_owned()));
            }
            _ => {}
        }
    }
}

/// What a path stands for.
enum Served {
    Base,
    Blob { digest: String, media_type: String, path: PathBuf },
    Nothing,
}

fn find(path: &str, shelves: &Mutex<Shelves>) -> Served {
    let path = path.split('?').next().unwrap_or_default();
    if matches!(path, "/v2/" | "/v2") {
        return Served::Base;
    }
    let shelves = shelves.lock().unwrap_or_else(PoisonError::into_inner);
    let manifest = |(repository, reference): (&str, &str)| {
        if let Some(media_type) = shelves.manifests.get(reference) {
            return Some((reference.to_owned(), media_type.clone()));
        }
        shelves.tags.get(&(repository.to_owned(), reference.to_owned())).cloned()
    };
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    let found = match (rest.split_once("/manifests/"), rest.split_once("/blobs/")) {
        (Some(asked), _) => manifest(asked),
        (_, Some((_, digest))) => Some((digest.to_owned(), "application/octet-stream".to_owned())),
        _ => None,
    };
    let Some((digest, media_type)) = found else { return Served::Nothing };
    match shelves.blobs.get(&digest).cloned() {
        Some(path) => Served::Blob { digest, media_type, path },
        None => Served::Nothing,
    }
}

fn answer(
    mut stream: &TcpStream,
    method: &str,
    path: &str,
    shelves: &Mutex<Shelves>,
) -> std::io::Result<()> {
    let found =
        if matches!(method, "GET" | "HEAD") { find(path, shelves) } else { Served::Nothing };
    match found {
        Served::Base => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Served::Blob { digest, media_type, path } => {
            let mut file = files::open(&path).map_err(std::io::Error::other)?;
            let size = file.metadata()?.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {size}\r\n\
                 Docker-Content-Digest: {digest}\r\n\r\n"
            );
            stream.write_all(head.as_bytes())?;
            if method == "GET" {
                std::io::copy(&mut file, &mut stream)?;
            }
            Ok(())
        }
        Served::Nothing => {
            let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not here"}]}"#;
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes())?;
            if method == "HEAD" { Ok(()) } else { stream.write_all(body.as_bytes()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_references_of_this_registry() {
        let part = |name: &str| parts(name);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(part("nginx"), pair("nginx", "latest"));
        assert_eq!(part("shop/web:1"), pair("shop/web", "1"));
        assert_eq!(part("host:5000/a/b:2"), pair("host-5000/a/b", "2"));
        assert_eq!(part("a/b@sha256:12"), pair("a/b", "sha256:12"));
        assert_eq!(part("a/b:3@sha256:12"), pair("a/b", "sha256:12"));
    }
}
