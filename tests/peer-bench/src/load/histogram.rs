//! Latencies in buckets of three per cent.

use std::time::Duration;

#[derive(Clone, Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub fn add(&mut self, latency: Duration) {
        let index = bucket(latency.as_nanos() as u64);
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += 1;
        self.count += 1;
    }

    /// The microseconds below which this share of all latencies is.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut passed = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            passed += count;
            if passed >= wanted {
                return value(index) / 1000.0;
            }
        }
        0.0
    }
}

const FINE: u32 = 5;

fn bucket(value: u64) -> usize {
    let value = value.max(1 << FINE);
    let exponent = 63 - value.leading_zeros();
    let fine = (value >> (exponent - FINE)) & ((1 << FINE) - 1);
    (u64::from(exponent - FINE) << FINE | fine) as usize
}

fn value(index: usize) -> f64 {
    let exponent = (index >> FINE) as u32 + FINE;
    let fine = index & ((1 << FINE) - 1);
    ((1_u64 << exponent) + ((fine as u64) << (exponent - FINE))) as f64
}
