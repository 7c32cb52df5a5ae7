//! The program inside the images wavetank makes: it behaves as it is told, and so stands for any.
//!
//! It is built by itself (`build.rs`), static and with nothing but the standard library, and is no part of
//! the wavetank library. Its arguments are a verb and `key=value` pairs; times are milliseconds from its
//! start:
//!
//! ```text
//! run    delay=MS   before it says anything        ready=MS|never  when it begins to listen
//!        hang=MS    from when on nothing answers   exit=MS code=N  its own end
//!        stop=MS|never  from SIGTERM to its end, with 0; never: SIGTERM is ignored
//!        address=IP http=PORT,.. tcp=PORT,..       where it listens
//!        memory=COURSE burn=COURSE cycle=MS        bytes, and nano-cores, over time
//!        oom=N      memory is a child's; when that is killed, it ends with N itself
//! is-ready   0 when the program of this container is ready, 1 before; hangs with it
//! true       0
//! pause      waits for SIGTERM
//! ```
//! A COURSE is `from:amount:to:over,..`: at `from` it is `amount`, and goes evenly to `to` within `over`.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, exit};
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The C library that the standard library is linked with anyway.
#[allow(unsafe_code)]
mod c {
    unsafe extern "C" {
        pub safe fn signal(number: i32, handler: usize) -> usize;
        pub unsafe fn write(fd: i32, bytes: *const u8, count: usize) -> isize;
    }
}

const SIGTERM: i32 = 15;
const SIG_IGN: usize = 1;
const READY: &str = "/ready";
const HUNG: &str = "/hung";
/// How often memory and processors are looked at anew.
const TICK: Duration = Duration::from_millis(50);

/// Where the handler of SIGTERM writes to.
static BELL: AtomicI32 = AtomicI32::new(-1);

#[allow(unsafe_code)]
extern "C" fn on_term(_: i32) {
    // SAFETY: one byte of a static string is written to a descriptor that is never closed; write(2) may be
    // called in a signal handler.
    let _ = unsafe { c::write(BELL.load(Ordering::Relaxed), b"t".as_ptr(), 1) };
}

/// What it is told to do.
struct Told(Vec<(String, String)>);

impl Told {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).map(|text| text.parse().unwrap_or_else(|_| bad(key, text)))
    }

    /// A time; `None`: never, or nothing said.
    fn time(&self, key: &str) -> Option<Duration> {
        let text = self.text(key).filter(|text| *text != "never")?;
        Some(Duration::from_millis(text.parse().unwrap_or_else(|_| bad(key, text))))
    }

    fn ports(&self, key: &str) -> Vec<u16> {
        let text = self.text(key).unwrap_or_default();
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(|part| part.parse().unwrap_or_else(|_| bad(key, text))).collect()
    }

    fn course(&self, key: &str) -> Option<Course> {
        let text = self.text(key)?;
        let piece = |part: &str| {
            let numbers: Vec<u64> = part.split(':').filter_map(|it| it.parse().ok()).collect();
            <[u64; 4]>::try_from(numbers).unwrap_or_else(|_| bad(key, text))
        };
        let pieces = text.split(',').map(piece).collect();
        Some(Course { pieces, cycle: self.number("cycle") })
    }
}

fn bad<T>(key: &str, value: &str) -> T {
    eprintln!("{key}={value}: not understood");
    exit(2)
}

/// An amount over time.
struct Course {
    pieces: Vec<[u64; 4]>,
    cycle: Option<u64>,
}

impl Course {
    fn at(&self, since: Duration) -> u64 {
        let since = since.as_millis() as u64;
        let since = self.cycle.map_or(since, |cycle| since % cycle.max(1));
        let Some(&[from, amount, to, over]) =
            self.pieces.iter().rev().find(|piece| piece[0] <= since)
        else {
            return 0;
        };
        let gone = since - from;
        if gone >= over {
            return to;
        }
        let part = |whole: u64| (u128::from(whole) * u128::from(gone) / u128::from(over)) as u64;
        if to >= amount { amount + part(to - amount) } else { amount - part(amount - to) }
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let verb = words.next().unwrap_or_else(|| "run".to_owned());
    let pair = |word: String| match word.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => bad(&word, ""),
    };
    let told = Told(words.map(pair).collect());
    match verb.as_str() {
        "run" => run(&told),
        "pause" => pause(),
        "is-ready" => is_ready(),
        "true" => exit(0),
        "memory" => hold_memory(&told, Instant::now()),
        other => bad(other, ""),
    }
}

/// Rings when SIGTERM comes.
fn bell() -> std::io::PipeReader {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    BELL.store(writer.as_raw_fd(), Ordering::Relaxed);
    std::mem::forget(writer);
    c::signal(SIGTERM, on_term as extern "C" fn(i32) as usize);
    reader
}

fn pause() {
    let _ = bell().read(&mut [0]);
    exit(0);
}

fn is_ready() {
    while std::fs::exists(HUNG).unwrap_or(false) {
        thread::sleep(Duration::from_secs(1));
    }
    exit(if std::fs::exists(READY).unwrap_or(false) { 0 } else { 1 });
}

fn run(told: &Told) {
    let began = Instant::now();
    let ignores_term = told.text("stop") == Some("never");
    let mut term = (!ignores_term).then(bell);
    if ignores_term {
        c::signal(SIGTERM, SIG_IGN);
    }
    if let Some(delay) = told.time("delay") {
        thread::sleep(delay);
    }
    println!("started");
    let _ = std::io::stdout().flush();
    let _ = std::fs::remove_file(READY);
    let _ = std::fs::remove_file(HUNG);

    if let Some(after) = told.time("exit") {
        let code = told.number("code").unwrap_or(0);
        thread::spawn(move || {
            thread::sleep(after.saturating_sub(began.elapsed()));
            exit(code);
        });
    }
    if told.text("ready") != Some("never") {
        listen_when_ready(told, began);
    }
    if let Some(after) = told.time("hang") {
        thread::spawn(move || {
            thread::sleep(after.saturating_sub(began.elapsed()));
            let _ = std::fs::write(HUNG, "");
        });
    }
    if told.text("burn").is_some() {
        burn(told, began);
    }
    if told.text("memory").is_some() {
        take_memory(told, began);
    }
    match &mut term {
        Some(bell) => {
            let _ = bell.read(&mut [0]);
            thread::sleep(told.time("stop").unwrap_or_default());
            exit(0);
        }
        None => loop {
            thread::park();
        },
    }
}

/// Listens on its ports from the instant it is ready.
fn listen_when_ready(told: &Told, began: Instant) {
    let address: Ipv4Addr = told.number("address").unwrap_or(Ipv4Addr::UNSPECIFIED);
    let after = told.time("ready").unwrap_or_default();
    let hangs = told.time("hang");
    let (http, tcp) = (told.ports("http"), told.ports("tcp"));
    thread::spawn(move || {
        thread::sleep(after.saturating_sub(began.elapsed()));
        for port in tcp.iter().chain(&http).copied() {
            let answers = http.contains(&port);
            let Ok(listener) = TcpListener::bind((address, port)) else {
                eprintln!("{address}:{port}: cannot listen");
                exit(1);
            };
            thread::spawn(move || serve(&listener, answers, hangs.map(|hang| began + hang)));
        }
        let _ = std::fs::write(READY, "");
    });
}

fn serve(listener: &TcpListener, answers: bool, hangs: Option<Instant>) {
    for stream in listener.incoming() {
        if hangs.is_some_and(|at| at <= Instant::now()) {
            thread::park();
        }
        let Ok(mut stream) = stream else { continue };
        if answers {
            thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                if stream.read(&mut request).is_ok_and(|count| count > 0) {
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    }
}

/// Keeps processors busy: a share of each tick, one thread a core.
fn burn(told: &Told, began: Instant) {
    let most = told.course("burn").map_or(0, |course| {
        course.pieces.iter().map(|piece| piece[1].max(piece[2])).max().unwrap_or(0)
    });
    for core in 0..most.div_ceil(1_000_000_000) {
        let Some(course) = told.course("burn") else { return };
        thread::spawn(move || {
            loop {
                let tick = Instant::now();
                let wanted = course.at(began.elapsed()).saturating_sub(core * 1_000_000_000);
                let busy = TICK.mul_f64(wanted.min(1_000_000_000) as f64 / 1e9);
                while tick.elapsed() < busy {
                    std::hint::spin_loop();
                }
                thread::sleep(TICK.saturating_sub(tick.elapsed()));
            }
        });
    }
}

/// Takes memory itself, or has a child take it.
fn take_memory(told: &Told, began: Instant) {
    let own = Told(told.0.clone());
    let Some(code) = told.number::<i32>("oom") else {
        thread::spawn(move || hold_memory(&own, began));
        return;
    };
    let words: Vec<String> = own.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
    thread::spawn(move || {
        let child = Command::new("/proc/self/exe").arg("memory").args(words).status();
        if child.is_ok_and(|status| status.signal() == Some(9)) {
            exit(code);
        }
    });
}

/// Holds as much memory as it is told, every page of it written.
fn hold_memory(told: &Told, began: Instant) {
    const CHUNK: u64 = 256 << 10;
    let Some(course) = told.course("memory") else { return };
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let wanted = (course.at(began.elapsed()) / CHUNK) as usize;
        held.truncate(wanted);
        while held.len() < wanted {
            held.push(vec![1; CHUNK as usize]);
        }
        thread::sleep(TICK);
    }
}
