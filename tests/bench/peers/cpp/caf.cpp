// SPDX-License-Identifier: MIT
// CAF peer, for 0.17 (Debian) and 1.x. usage: cafbench <workload> <threads>. Mailboxes are unbounded.
#include "../c/bench.h"
#include <caf/all.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>
using namespace caf;
#if CAF_VERSION >= 10000
#  define SEND(self, dst, ...) (self)->mail(__VA_ARGS__).send(dst)
#  define ASEND(dst, ...) anon_mail(__VA_ARGS__).send(dst)
#  define REQUEST(self, dst, ...) (self)->mail(__VA_ARGS__).request(dst, infinite)
#  define DELAYED(self, dur, dst, ...) (self)->mail(__VA_ARGS__).delay(dur).send(dst)
static const char *PEER = "caf-1.1";
#else
#  define SEND(self, dst, ...) (self)->send(dst, __VA_ARGS__)
#  define ASEND(dst, ...) anon_send(dst, __VA_ARGS__)
#  define REQUEST(self, dst, ...) (self)->request(dst, infinite, __VA_ARGS__)
#  define DELAYED(self, dur, dst, ...) (self)->delayed_send(dst, dur, __VA_ARGS__)
static const char *PEER = "caf-0.17";
#endif
static int T = 1;
static std::string W(const char *s) { return std::string(s) + "." + std::to_string(T) + "c"; }
using u64 = uint64_t;
using i64 = int64_t;

static void w1(actor_system &sys) {
  BENCH_NS(W("W1_spawn_join").c_str(), PEER, "ns/task", 1000000, {
    for (int r = 0; r < 1000; r++) {
      for (int i = 0; i < 1000; i++) sys.spawn([](event_based_actor *) {});
      sys.await_all_actors_done();
    }
  });
}
static behavior ponger(event_based_actor *self) {
  return {[=](i64 v, const actor &from) { SEND(self, from, v); }, [=](bool) { self->quit(); }};
}
static behavior pinger(event_based_actor *self, actor p) {
  SEND(self, p, i64{1000000}, actor_cast<actor>(self));
  return {[=](i64 v) {
    if (v == 1) { SEND(self, p, true); self->quit(); } else SEND(self, p, v - 1, actor_cast<actor>(self));
  }};
}
static void w3(actor_system &sys) {
  BENCH_NS(W("W3_pingpong_actors").c_str(), PEER, "ns/rtt", 1000000, {
    { auto p = sys.spawn(ponger); sys.spawn(pinger, p); }
    sys.await_all_actors_done();
  });
}
struct sum_state { u64 sum = 0; u64 n = 0; };
static behavior consumer(stateful_actor<sum_state> *self, u64 total) {
  return {[=](u64 v) { auto &s = self->state
#if CAF_VERSION >= 10000
    ()
#endif
    ; s.sum += v; if (++s.n == total) self->quit(); }};
}
static behavior producer(event_based_actor *self, actor c, u64 total) {  // 1,024 messages a turn, then lets others run
  SEND(self, self, u64{0});
  return {[=](u64 from) {
    u64 to = std::min(from + 1024, total);
    for (u64 i = from; i < to; i++) SEND(self, c, i);
    if (to == total) self->quit(); else SEND(self, self, to);
  }};
}
static void w4(actor_system &sys) {
  BENCH_RATE(W("W4_mpsc_unbounded").c_str(), PEER, "Mmsg/s", 10000000, {
    { auto c = sys.spawn(consumer, u64{10000000}); for (int p = 0; p < 4; p++) sys.spawn(producer, c, u64{2500000}); }
    sys.await_all_actors_done();
  });
}
static std::atomic<u64> sky_result; // where the root leaves its sum
static behavior sky(stateful_actor<sum_state> *self, actor parent, u64 num, u64 size) {
  if (size == 1) { if (parent) SEND(self, parent, num); else sky_result = num; self->quit(); return {}; }
  u64 sub = size / 10;
  for (u64 i = 0; i < 10; i++) self->spawn(sky, actor_cast<actor>(self), num + i * sub, sub);
  return {[=](u64 v) {
    auto &s = self->state
#if CAF_VERSION >= 10000
    ()
#endif
    ; s.sum += v;
    if (++s.n == 10) { if (parent) SEND(self, parent, s.sum); else sky_result = s.sum; self->quit(); }
  }};
}
static void w5(actor_system &sys) {
  BENCH_NS(W("W5_skynet").c_str(), PEER, "ms", 1000000, {
    sys.spawn(sky, actor{}, u64{0}, u64{1000000}); sys.await_all_actors_done();
    if (sky_result != 499999500000ull) abort();
  });
}
static behavior ring_node(event_based_actor *self, actor next) {
  return {[=](u64 v) {
    if (v == 0) { SEND(self, next, true); self->quit(); } else SEND(self, next, v - 1);
  }, [=](bool b) { SEND(self, next, b); self->quit(); }};
}
struct first_state { actor next; };
static behavior ring_first(stateful_actor<first_state> *self) {
#if CAF_VERSION >= 10000
#  define ST self->state()
#else
#  define ST self->state
#endif
  return {[=](const actor &n) { ST.next = n; },
          [=](u64 v) { if (v == 0) { SEND(self, ST.next, true); ST.next = nullptr; self->quit(); } else SEND(self, ST.next, v - 1); },
          [=](bool b) { SEND(self, ST.next, b); ST.next = nullptr; self->quit(); }};
}
static void w6(actor_system &sys) {
  BENCH_NS(W("W6_threadring").c_str(), PEER, "ns/hop", 5000000, {
    { auto first = sys.spawn(ring_first); auto nx = actor_cast<actor>(first);
      for (int i = 0; i < 999; i++) nx = sys.spawn(ring_node, nx);
      ASEND(first, nx); ASEND(first, u64{5000000}); }
    sys.await_all_actors_done();
  });
}
struct count_state { i64 n = 0; };
static behavior server(stateful_actor<count_state> *self) {
  return {[=](i64 v) -> i64 { return ST.n += v; }, [=](bool) { self->quit(); }};
}
static void call(event_based_actor *self, const actor &s, int left) {
  if (left == 0) { SEND(self, s, true); return; }
  REQUEST(self, s, i64{1}).then([=](i64) { call(self, s, left - 1); });
}
static void w7(actor_system &sys) {
  BENCH_NS(W("W7_call").c_str(), PEER, "ns/call", 1000000, {
    { auto s = sys.spawn(server); sys.spawn([=](event_based_actor *self) { call(self, s, 1000000); }); }
    sys.await_all_actors_done();
  });
}
static void w8(actor_system &sys) {
  const int n = 1000000; std::vector<actor> v; v.reserve(n);
  sys.spawn(server); usleep(100000); long r0 = rss_bytes();
  for (int i = 0; i < n; i++) v.push_back(sys.spawn(server));
  sleep(2); double b = (double)(rss_bytes() - r0) / n;
  printf("W8_mem_actor %s %.0f bytes/actor best=%.0f n=1\n", PEER, b, b); fflush(stdout); _exit(0);
}
static std::vector<i64> late(1000000);
static behavior sleeper(event_based_actor *self, u64 i, u64 d) {
  u64 t = now_ns(); DELAYED(self, std::chrono::nanoseconds(d), self, true);
  return {[=](bool) { late[i] = (i64)(now_ns() - t - d); self->quit(); }};
}
static void w9s(actor_system &sys) {
  const u64 n = 1000000; double cpu[REPS_MAX]; double p99[REPS_MAX]; uint64_t seed = 88172645463325252ull;
  for (int r = 0; r < reps(); r++) {
    double c0 = cpu_s();
    for (u64 i = 0; i < n; i++) sys.spawn(sleeper, i, rng_next(&seed) % 1000000000);
    sys.await_all_actors_done();
    cpu[r] = cpu_s() - c0;
    std::sort(late.begin(), late.end()); p99[r] = (double)late[n / 100 * 99] / 1e6;
  }
  report(W("W9_sleep_cpu").c_str(), PEER, cpu, reps(), "cpu_s", 0);
  report(W("W9_sleep_late_p99").c_str(), PEER, p99, reps(), "ms", 0);
}
// 10-ary tree of linked actors, five levels under the root; the root's exit message reaches all over the links.
static std::atomic<u64> up;
static behavior node(event_based_actor *self, int depth) {
  std::vector<actor> kids;  // links are weak: the parent must hold its children
  if (depth > 0) for (int i = 0; i < 10; i++) kids.push_back(self->spawn<linked>(node, depth - 1));
  up++;
  return {[kids](bool) {}};
}
static void w12(actor_system &sys) {
  double v[REPS_MAX];
  for (int r = 0; r < reps(); r++) {
    u64 sum = 0; u64 n = 0;
    while (sum < min_ns()) {
      up = 0; auto root = sys.spawn(node, 5);
      while (up < 111111) usleep(1000);
      usleep(20000);
      u64 t = now_ns(); anon_send_exit(root, exit_reason::user_shutdown); root = nullptr;
      sys.await_all_actors_done();
      sum += now_ns() - t; n += 111111;
    }
    v[r] = (double)sum / (double)n;
  }
  report(W("W12_cancel_tree").c_str(), PEER, v, reps(), "ns/task", 0);
}
int main(int argc, char **argv) {
  if (argc < 3) return 2;
  T = atoi(argv[2]); std::string w = argv[1];
#if CAF_VERSION >= 10000
  core::init_global_meta_objects();
#endif
  actor_system_config cfg;
#if CAF_VERSION >= 10000
  cfg.set("caf.scheduler.max-threads", (u64)T);
#else
  cfg.set("scheduler.max-threads", (u64)T);
#endif
  actor_system sys{cfg};
  if (w == "W1") w1(sys); else if (w == "W3") w3(sys); else if (w == "W4") w4(sys); else if (w == "W5") w5(sys);
  else if (w == "W6") w6(sys); else if (w == "W7") w7(sys); else if (w == "W8a") w8(sys); else if (w == "W9s") w9s(sys);
  else if (w == "W12") w12(sys); else return 2;
}
