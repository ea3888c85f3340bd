//! Compares Fernseal with the `fernet` crate, serde_json and Python on random tokens, keys and configs. All must accept
//! the same inputs with the same results, except for the differences that core/README.md lists.
//!
//! Arguments: the number of tokens (100 000), and the seed of the random input (by default a new one, which is
//! printed).

mod differences;
mod input;
mod python;
mod texts;
mod tokens;

use differences::Differences;
use fastrand::Rng;
use python::Python;

/// The number of cases that Python gets in one line.
const BATCH: usize = 250;

/// Compares the given number of random cases and prints how many there were.
type Part = fn(&mut Rng, &mut Python, usize, &mut Differences) -> usize;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let count = usize::try_from(args.next().unwrap_or(100_000)).expect("fits");
    let seed = args.next().unwrap_or_else(|| fastrand::u64(..));
    println!("{count} tokens, seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut python = Python::start();

    // Half of the tokens are plain Fernet tokens, and half are `enc:` tokens of configs.
    let parts: [(&str, Part, usize); 4] = [
        ("Fernet tokens", tokens::fernet, count.div_ceil(2)),
        ("salted and legacy tokens", tokens::envelope, count / 2),
        ("master keys", tokens::key, count / 2),
        ("JSON texts", texts::document, count / 2),
    ];
    for (name, part, count) in parts {
        let mut differences = Differences::default();
        let mut texts = 0;
        for start in (0..count).step_by(BATCH) {
            texts += part(&mut rng, &mut python, BATCH.min(count - start), &mut differences);
        }
        println!("{name}: {count}, with what became of them {texts}; differences{differences}");
    }
}
