//! Each of scheduler_perf's cases on 500 nodes, under criterion: for comparing two builds. The example
//! `scheduler_throughput` prints pods a second at full size.

mod queued;
mod workloads;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use workloads::Case;

const NODES: usize = 500;

fn cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    group.sample_size(20);
    for case in Case::ALL {
        let (before, count) = queued::queued(case, NODES);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(case.name(), |bench| {
            bench.iter_batched_ref(|| before.clone(), |alone| alone.drain(), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, cases);
criterion_main!(benches);
