//! The same random tokens, keys and configs through fernseal, the `fernet` crate and live Python.
//! What one accepts the others accept, with the same result; where not, it is a difference that the README names.
//! Arguments: how many tokens (100 000), and the seed of the random input (a new one, which is printed).

mod input;
mod python;
mod texts;
mod tokens;

use std::collections::BTreeMap;

use fastrand::Rng;
use python::Python;

/// Differences that were met, by their names, and how often.
type Differences = BTreeMap<&'static str, usize>;

/// Cases that go to Python in one line.
const BATCH: usize = 250;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let count = args.next().unwrap_or(100_000);
    let seed = args.next().unwrap_or_else(|| fastrand::u64(..));
    println!("{count} tokens, seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut python = Python::start();
    let count = usize::try_from(count).expect("fits");

    // Each part has the input's share that its variety asks for.
    let parts: [(&str, Part, usize); 4] = [
        ("Fernet tokens", tokens::fernet, count),
        ("salted and legacy tokens", tokens::envelope, count / 5),
        ("master keys", tokens::key, count / 5),
        ("JSON texts", texts::document, count / 5),
    ];
    for (name, part, count) in parts {
        let mut differences = Differences::new();
        let mut compared = 0;
        for start in (0..count).step_by(BATCH) {
            compared += part(&mut rng, &mut python, BATCH.min(count - start), &mut differences);
        }
        println!("{name}: {count}, {compared} comparisons; differences: {differences:?}");
    }
}

/// Compares as many random cases as it is told, and says how many comparisons that were.
type Part = fn(&mut Rng, &mut Python, usize, &mut Differences) -> usize;
