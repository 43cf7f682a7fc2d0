//! What the socket layer costs per message: unmasking, decoding, and making shared frames.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use infrawatch::websocket::{Decoder, Event, Limits, Opcode, encode_header, frame, frame_of_parts, mask};

const LIMITS: Limits = Limits { frame_bytes_max: 65_536, message_bytes_max: 65_536 };
const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 10];
    let header_bytes = encode_header(opcode, payload.len(), &mut header);
    header[1] |= 0x80;
    let mut bytes = [&header[..header_bytes], &KEY, payload].concat();
    mask(&mut bytes[header_bytes + KEY.len()..], KEY);
    bytes
}

fn count(decoder: &mut Decoder, input: &mut [u8]) -> usize {
    let mut events = decoder.feed(input);
    let mut text_bytes = 0;
    while let Some(event) = events.next_event() {
        if let Ok(Event::Text(text)) = event {
            text_bytes += text.len();
        }
    }
    text_bytes
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for payload_bytes in [64, 400, 16_384] {
        let wire = masked(Opcode::Text, &vec![b'x'; payload_bytes]);
        group.throughput(Throughput::Bytes(payload_bytes as u64));
        group.bench_function(format!("text_{payload_bytes}"), |bencher| {
            let mut decoder = Decoder::new(LIMITS);
            bencher.iter_batched_ref(
                || wire.clone(),
                |input| count(&mut decoder, input),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("text_{payload_bytes}_in_two_reads"), |bencher| {
            let mut decoder = Decoder::new(LIMITS);
            let cut = wire.len() / 2;
            bencher.iter_batched_ref(
                || wire.clone(),
                |input| {
                    let (front, back) = input.split_at_mut(cut);
                    count(&mut decoder, front) + count(&mut decoder, back)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let payload = vec![b'x'; 400];
    group.throughput(Throughput::Bytes(400));
    group.bench_function("frame_400", |bencher| bencher.iter(|| frame(Opcode::Text, black_box(&payload))));
    group.bench_function("frame_of_three_parts_400", |bencher| {
        let (a, rest) = payload.split_at(100);
        let (b, c) = rest.split_at(200);
        bencher.iter(|| frame_of_parts(Opcode::Text, black_box(&[a, b, c])));
    });
    group.finish();
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
