// SPDX-License-Identifier: MIT
// Tokio peer. usage: tokiobench <workload> <1|1mt|2> [arg]
//   1 = current_thread runtime, 1mt = multi_thread with one worker, 2 = multi_thread with two workers.
mod coordination;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, Notify};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// As for every peer; run.sh interleaves short runs of all of them.
fn env_number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).filter(|n| *n > 0).unwrap_or(otherwise)
}
fn reps() -> usize {
    env_number("BENCH_REPS", 5) as usize
}
fn min_time() -> Duration {
    Duration::from_millis(env_number("BENCH_MIN_MS", 500))
}

struct Cfg {
    threads: usize,
    mt: bool,
    arg: String,
}
impl Cfg {
    fn peer(&self) -> &'static str {
        match (cfg!(feature = "new"), self.threads == 1 && self.mt) {
            (false, false) => "tokio-1.24",
            (false, true) => "tokio-1.24-mt1",
            (true, false) => "tokio-1.53",
            (true, true) => "tokio-1.53-mt1",
        }
    }
    fn rt(&self) -> Runtime {
        self.rt_blocking(512)
    }
    fn rt_blocking(&self, n: usize) -> Runtime {
        if self.mt {
            Builder::new_multi_thread().worker_threads(self.threads).max_blocking_threads(n).enable_all().build().unwrap()
        } else {
            Builder::new_current_thread().max_blocking_threads(n).enable_all().build().unwrap()
        }
    }
    fn w(&self, s: &str) -> String {
        format!("{}.{}c", s, self.threads)
    }
    fn report(&self, w: &str, unit: &str, v: Vec<f64>, higher: bool) {
        self.print("", w, unit, v, higher);
    }
    /// Less is better; `how` follows the peer's name.
    fn report_as(&self, how: &str, w: &str, unit: &str, v: Vec<f64>) {
        self.print(how, &self.w(w), unit, v, false);
    }
    fn print(&self, how: &str, w: &str, unit: &str, mut v: Vec<f64>, higher: bool) {
        v.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let best = if higher { v[v.len() - 1] } else { v[0] };
        println!("{} {}{} {:.4} {} best={:.4} n={}", w, self.peer(), how, v[v.len() / 2], unit, best, v.len());
    }
    /// Runs `f` (as a spawned task, so never on the block_on thread of a multi_thread runtime)
    /// until 0.5 s have passed; five times.
    fn bench<F, Fut>(&self, w: &str, unit: &str, ops: u64, rate: bool, f: F)
    where
        F: Fn() -> Fut + Send + Copy + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let rt = self.rt();
        let min = min_time();
        let mut v = vec![];
        for _ in 0..reps() {
            let (el, n) = rt
                .block_on(async move {
                    tokio::spawn(async move {
                        let t = Instant::now();
                        let mut n = 0;
                        while t.elapsed() < min {
                            f().await;
                            n += ops;
                        }
                        (t.elapsed(), n)
                    })
                    .await
                })
                .unwrap();
            let ns = el.as_nanos() as f64;
            v.push(if rate { n as f64 * 1e3 / ns } else { ns / n as f64 });
        }
        self.report(&self.w(w), unit, v, rate);
    }
}

fn cpu_s() -> f64 {
    unsafe {
        let mut u: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut u);
        (u.ru_utime.tv_sec + u.ru_stime.tv_sec) as f64 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) as f64 * 1e-6
    }
}
fn rss() -> f64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let l = s.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    l.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        let mut x = self.0;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        x.wrapping_mul(2685821657736338717)
    }
}
fn pin(cpu: usize) {
    unsafe {
        let mut s: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut s);
        libc::sched_setaffinity(0, std::mem::size_of_val(&s), &s);
    }
}

async fn spawn_join() {
    let mut hs = Vec::with_capacity(1000);
    for _ in 0..1000 {
        for _ in 0..1000 {
            hs.push(tokio::spawn(async {}));
        }
        for h in hs.drain(..) {
            h.await.unwrap();
        }
    }
}
async fn yields() {
    let f = || async {
        for _ in 0..5_000_000 {
            tokio::task::yield_now().await;
        }
    };
    let (a, b) = (tokio::spawn(f()), tokio::spawn(f()));
    a.await.unwrap();
    b.await.unwrap();
}
async fn ponger(mut rx: mpsc::Receiver<i64>, tx: mpsc::Sender<i64>) {
    while let Some(v) = rx.recv().await {
        if tx.send(v).await.is_err() {
            break;
        }
    }
}
async fn pinger(tx: mpsc::Sender<i64>, mut rx: mpsc::Receiver<i64>, n: i64) {
    for i in 0..n {
        tx.send(i).await.unwrap();
        rx.recv().await.unwrap();
    }
}
async fn pingpong() {
    let (ta, ra) = mpsc::channel(16);
    let (tb, rb) = mpsc::channel(16);
    let p = tokio::spawn(ponger(ra, tb));
    tokio::spawn(pinger(ta, rb, 1_000_000)).await.unwrap();
    p.await.unwrap();
}
fn pingpong_forced(c: &Cfg) {
    let mut v = vec![];
    for _ in 0..reps() {
        let (ta, ra) = mpsc::channel(16);
        let (tb, rb) = mpsc::channel(16);
        let rt = || Builder::new_current_thread().enable_all().build().unwrap();
        let t = Instant::now();
        let j = std::thread::spawn(move || {
            pin(1);
            rt().block_on(ponger(ra, tb))
        });
        let k = std::thread::spawn(move || {
            pin(0);
            rt().block_on(pinger(ta, rb, 20_000))
        });
        k.join().unwrap();
        j.join().unwrap();
        v.push(t.elapsed().as_nanos() as f64 / 20e3);
    }
    c.report("W3_pingpong_forced.2c", "ns/rtt", v, false);
}
fn mpsc_tasks() -> mpsc::Receiver<u64> {
    let (tx, rx) = mpsc::channel::<u64>(1024);
    for _ in 0..4 {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..2_500_000 {
                tx.send(i).await.unwrap();
            }
        });
    }
    rx
}
async fn mpsc_bench() {
    let mut rx = mpsc_tasks();
    let mut s = 0;
    while let Some(v) = rx.recv().await {
        s += v;
    }
    assert_eq!(s, 4 * (2_500_000 * 2_499_999 / 2));
}
#[cfg(feature = "new")]
async fn mpsc_many() {
    let mut rx = mpsc_tasks();
    let mut s = 0;
    let mut buf = Vec::with_capacity(1024);
    while rx.recv_many(&mut buf, 1024).await > 0 {
        s += buf.drain(..).sum::<u64>();
    }
    assert_eq!(s, 4 * (2_500_000 * 2_499_999 / 2));
}
fn sky(num: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let sub = size / 10;
        let mut s = 0;
        if sub == 1 {
            let hs: [_; 10] = std::array::from_fn(|i| tokio::spawn(async move { num + i as u64 }));
            for h in hs {
                s += h.await.unwrap();
            }
        } else {
            let hs: [_; 10] = std::array::from_fn(|i| tokio::spawn(sky(num + i as u64 * sub, sub)));
            for h in hs {
                s += h.await.unwrap();
            }
        }
        s
    })
}
async fn skynet() {
    assert_eq!(tokio::spawn(sky(0, 1_000_000)).await.unwrap(), 499999500000);
}
async fn threadring() {
    const N: usize = 1000;
    let (tx0, mut rx) = mpsc::channel::<u64>(16);
    let (dtx, drx) = oneshot::channel();
    let mut dtx = Some(dtx);
    let mut hs = vec![];
    let mut first = Some(tx0.clone());
    for i in 0..N {
        let (tx, next) = if i + 1 == N { (first.take().unwrap(), None) } else { let (t, r) = mpsc::channel(16); (t, Some(r)) };
        let mut me = rx;
        let mut d = if i == 5_000_000 % N { dtx.take() } else { None };
        hs.push(tokio::spawn(async move {
            while let Some(v) = me.recv().await {
                if v == 0 {
                    d.take().unwrap().send(()).unwrap();
                    return;
                }
                if tx.send(v - 1).await.is_err() {
                    return;
                }
            }
        }));
        match next {
            Some(r) => rx = r,
            None => break,
        }
    }
    tx0.send(5_000_000).await.unwrap();
    drop(tx0);
    drx.await.unwrap();
    for h in hs {
        h.abort();
        let _ = h.await;
    }
}
async fn genserver() {
    let (tx, mut rx) = mpsc::channel::<(i64, oneshot::Sender<i64>)>(16);
    let s = tokio::spawn(async move {
        let mut n = 0;
        while let Some((a, r)) = rx.recv().await {
            n += a;
            let _ = r.send(n);
        }
    });
    tokio::spawn(async move {
        for _ in 0..1_000_000 {
            let (r, w) = oneshot::channel();
            tx.send((1, r)).await.unwrap();
            w.await.unwrap();
        }
    })
    .await
    .unwrap();
    s.await.unwrap();
}
fn memory(c: &Cfg, actor: bool) {
    const N: usize = 1_000_000;
    let rt = c.rt();
    rt.block_on(async move {
        let r0 = rss();
        let n = Arc::new(Notify::new());
        let mut boxes = Vec::with_capacity(N);
        for _ in 0..N {
            if actor {
                let (tx, mut rx) = mpsc::channel::<i64>(16);
                boxes.push(tx);
                tokio::spawn(async move {
                    let mut s = 0;
                    while let Some(v) = rx.recv().await {
                        s += v;
                    }
                    s
                });
            } else {
                let n = n.clone();
                tokio::spawn(async move { n.notified().await });
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let b = (rss() - r0) / N as f64;
        let (w, u) = if actor { ("W8_mem_actor", "bytes/actor") } else { ("W8_mem_task", "bytes/task") };
        println!("{} {} {:.0} {} best={:.0} n=1", w, c.peer(), b, u, b);
        std::process::exit(0);
    });
}
fn timers(c: &Cfg) {
    const N: usize = 1_000_000;
    let rt = c.rt();
    let (mut cpu, mut p99) = (vec![], vec![]);
    for r in 0..reps() {
        let c0 = cpu_s();
        let mut late: Vec<u64> = rt
            .block_on(rt.spawn(async move {
                let mut rng = Rng(88172645463325252 + r as u64);
                let mut hs = Vec::with_capacity(N);
                for _ in 0..N {
                    let d = Duration::from_nanos(rng.next() % 1_000_000_000);
                    hs.push(tokio::spawn(async move {
                        let t = Instant::now();
                        tokio::time::sleep(d).await;
                        (t.elapsed() - d).as_nanos() as u64
                    }));
                }
                let mut l = Vec::with_capacity(N);
                for h in hs {
                    l.push(h.await.unwrap());
                }
                l
            }))
            .unwrap();
        cpu.push(cpu_s() - c0);
        late.sort_unstable();
        p99.push(late[N * 99 / 100] as f64 / 1e6);
    }
    c.report(&c.w("W9_sleep_cpu"), "cpu_s", cpu, false);
    c.report(&c.w("W9_sleep_late_p99"), "ms", p99, false);
}
async fn arm_cancel() {
    // An earlier timer is always pending, as in a real server: else every arm would wake the timer driver.
    let earlier = tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    tokio::task::yield_now().await;
    for i in 0..5_000_000u64 {
        {
            let s = tokio::time::sleep(Duration::from_millis(1000 + (i & 1023)));
            tokio::pin!(s);
            // One poll arms the timer; leaving the scope cancels it.
            std::future::poll_fn(|cx| {
                assert!(s.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        if i & 63 == 0 {
            tokio::task::yield_now().await; // a fresh co-operative budget, as real tasks have
        }
    }
    earlier.abort();
}
fn echo(c: &Cfg) {
    c.rt().block_on(async {
        let l = TcpListener::bind(format!("127.0.0.1:{}", c.arg)).await.unwrap();
        loop {
            let (mut s, _) = l.accept().await.unwrap();
            tokio::spawn(async move {
                let mut b = [0u8; 4096];
                while let Ok(n) = s.read(&mut b).await {
                    if n == 0 || s.write_all(&b[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
}
type Up = Arc<(AtomicU64, Notify)>;
fn node(tok: CancellationToken, depth: u32, up: Up) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut kids = JoinSet::new();
        if depth > 0 {
            for _ in 0..10 {
                kids.spawn(node(tok.child_token(), depth - 1, up.clone()));
            }
        }
        if up.0.fetch_sub(1, Relaxed) == 1 {
            up.1.notify_one();
        }
        tok.cancelled().await;
        while kids.join_next().await.is_some() {}
    })
}
fn cancel_tree(c: &Cfg, abort: bool) {
    const TOTAL: u64 = 111_110;
    let min = min_time();
    let rt = c.rt();
    let mut v = vec![];
    for _ in 0..reps() {
        let (mut sum, mut n) = (Duration::ZERO, 0);
        while sum < min {
            sum += rt
                .block_on(rt.spawn(async move {
                    let tok = CancellationToken::new();
                    let mut set = JoinSet::new();
                    let up: Up = Arc::new((AtomicU64::new(TOTAL), Notify::new()));
                    if abort {
                        let n = Arc::new(Notify::new());
                        for _ in 0..TOTAL {
                            let n = n.clone();
                            set.spawn(async move { n.notified().await });
                        }
                    } else {
                        for _ in 0..10 {
                            set.spawn(node(tok.child_token(), 4, up.clone()));
                        }
                        up.1.notified().await;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let t = Instant::now();
                    if abort {
                        set.abort_all();
                    } else {
                        tok.cancel();
                    }
                    while set.join_next().await.is_some() {}
                    t.elapsed()
                }))
                .unwrap();
            n += TOTAL;
        }
        v.push(sum.as_nanos() as f64 / n as f64);
    }
    c.report(&c.w(if abort { "W12_abort_all_flat" } else { "W12_cancel_tree" }), "ns/task", v, false);
}
fn blocking(c: &Cfg, pool: usize, name: &str) {
    let rt = c.rt_blocking(pool);
    let mut v = vec![];
    for _ in 0..reps() {
        let t = Instant::now();
        rt.block_on(rt.spawn(async {
            let mut hs = Vec::with_capacity(1000);
            for _ in 0..200 {
                for _ in 0..1000 {
                    hs.push(tokio::task::spawn_blocking(|| {}));
                }
                for h in hs.drain(..) {
                    h.await.unwrap();
                }
            }
        }))
        .unwrap();
        v.push(t.elapsed().as_nanos() as f64 / 200_000.0);
    }
    c.report(&c.w(name), "ns/op", v, false);
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t = a.get(2).map(|s| s.as_str()).unwrap_or("1");
    let c = Cfg { threads: if t == "2" { 2 } else { 1 }, mt: t != "1", arg: a.get(3).cloned().unwrap_or_default() };
    match a[1].as_str() {
        "W1" => c.bench("W1_spawn_join", "ns/task", 1_000_000, false, spawn_join),
        "W2" => c.bench("W2_yield", "ns/switch", 10_000_000, false, yields),
        "W3" => {
            c.bench("W3_pingpong", "ns/rtt", 1_000_000, false, pingpong);
            if c.threads == 2 {
                pingpong_forced(&c);
            }
        }
        "W4" => {
            c.bench("W4_mpsc", "Mmsg/s", 10_000_000, true, mpsc_bench);
            #[cfg(feature = "new")]
            c.bench("W4_mpsc_recv_many", "Mmsg/s", 10_000_000, true, mpsc_many);
        }
        "W5" => c.bench("W5_skynet", "ms", 1_000_000, false, skynet), // ns per leaf == ms per 1M leaves
        "W6" => c.bench("W6_threadring", "ns/hop", 5_000_000, false, threadring),
        "W7" => c.bench("W7_call", "ns/call", 1_000_000, false, genserver),
        "W8t" => memory(&c, false),
        "W8a" => memory(&c, true),
        "W9s" => timers(&c),
        "W9a" => c.bench("W9_arm_cancel", "ns/op", 5_000_000, false, arm_cancel),
        "W10" => echo(&c),
        "W12" => {
            cancel_tree(&c, false);
            cancel_tree(&c, true);
        }
        "W13" => {
            blocking(&c, 4, "W13_blocking");
            blocking(&c, 512, "W13_blocking_default512");
        }
        "W18" => coordination::boundary(&c),
        "W19" => coordination::sync(&c),
        "S1" => coordination::ping_pong(&c),
        "S2" => coordination::send_drain(&c),
        "S3" => coordination::cold_start(&c),
        "S4" => coordination::fanout(&c),
        "S5" => coordination::fanout_skewed(&c),
        _ => panic!("unknown workload"),
    }
}
