//! Decides which values of a text are secrets: those that a pattern names, and those that look like secrets.
//!
//! `check` reports these values and `encrypt --found` seals them, so both commands agree. The leaves may come from any
//! format. This module does not check whether a value is encrypted already.

pub(crate) use super::likely::{JudgedLeaf, KIND, Reason};
use super::likely::{NEAR, Surroundings};
use super::pattern::Patterns;

/// The reason why a value is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// This pattern names it, which is certain.
    Named(String),
    /// It looks like one.
    Likely(Reason),
}

/// Selects leaves of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// At least the strings.
    Strings,
    /// At least the strings that equal [`KIND`].
    Kinds,
    /// All leaves that may be secrets.
    All,
}

/// Calls `found` with each secret among the leaves of one text, in order, and with the reason. Each call of `leaves`
/// starts again from the first leaf, so that only a few are in memory at once. A value that `secrets` name is a secret
/// even if `ignored` matches it: `ignored` is for likely secrets only. Without `ignored`, there is no search for likely
/// secrets.
pub(crate) fn find<L: JudgedLeaf, I: Iterator<Item = L>>(
    leaves: impl Fn(Which) -> I,
    secrets: &mut [Patterns],
    mut ignored: Option<&mut Patterns>,
    mut found: impl FnMut(&L, Why),
) {
    if ignored.is_none() && secrets.iter().all(|patterns| patterns.is_empty()) {
        return;
    }
    let around = match ignored.is_some() {
        true => Surroundings::of(leaves(Which::Strings), leaves(Which::Kinds)),
        false => Surroundings::default(),
    };
    let mut waiting = leaves(Which::All);
    let mut window: Vec<L> = Vec::with_capacity(WINDOW);
    let mut here = 0;
    loop {
        if window.len() == WINDOW {
            window.drain(..here - NEAR);
            here = NEAR;
        }
        window.extend(waiting.by_ref().take(WINDOW - window.len()));
        // At the end of the text, no leaves follow the last ones.
        let is_end = window.len() < WINDOW;
        let end = if is_end { window.len() } else { WINDOW - NEAR };
        for at in here..end {
            let leaf = &window[at];
            if let Some(why) = named(leaf.pointer(), secrets) {
                found(leaf, why);
            } else if let Some(ignored) = &mut ignored
                && let Some(reason) = around.reason(&window, at)
                && ignored.find(leaf.pointer()).is_none()
            {
                found(leaf, Why::Likely(reason));
            }
        }
        here = end;
        if is_end {
            break;
        }
    }
}

/// The number of leaves in memory at once: those that are checked, and [`NEAR`] on each side of them.
const WINDOW: usize = 64 + 2 * NEAR;

/// Returns the first pattern that names the value at `pointer`. It tries all of them, so that each one that matches
/// counts as used.
fn named(pointer: &str, secrets: &mut [Patterns]) -> Option<Why> {
    let found = secrets.iter_mut().map(|patterns| patterns.find(pointer).map(|pattern| pattern.as_str().to_owned()));
    found.fold(None, Option::or).map(Why::Named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'a>(
        leaves: &[(&'a str, &'a str)],
        secrets: &mut [Patterns],
        ignored: Option<&mut Patterns>,
    ) -> Vec<((&'a str, &'a str), Why)> {
        let mut all = Vec::new();
        find(|_| leaves.iter().copied(), secrets, ignored, |leaf, why| all.push((*leaf, why)));
        all
    }

    #[test]
    fn what_stands_around_a_value_tells_wherever_it_is() {
        for at in 0..190 {
            let mut leaves = vec![("/n", "1"); 200];
            leaves[at] = ("/e/value", "hunter2");
            leaves.insert(at + 3, ("/e/name", "DB_PASSWORD"));
            let found = all(&leaves, &mut [], Some(&mut Patterns::default()));
            let likely = Why::Likely(Reason::Name("DB_PASSWORD".into()));
            assert_eq!(found, [(("/e/value", "hunter2"), likely)], "{at}");
        }
    }

    #[test]
    fn a_named_value_is_certain_and_an_ignored_one_is_not_likely() {
        let leaves = [("/a/x", "plain"), ("/db/password", "hunter2"), ("/test/password", "hunter2"), ("/n", "1")];
        let mut secrets = [Patterns::parse(["/a/*", "**/never"]).unwrap(), Patterns::parse(["**/x"]).unwrap()];
        let mut ignored = Patterns::parse(["/test/**", "/a/x", "/old"]).unwrap();
        let found = all(&leaves, &mut secrets, Some(&mut ignored));
        let likely = Why::Likely(Reason::Name("password".into()));
        assert_eq!(found, [(leaves[0], Why::Named("/a/*".into())), (leaves[1], likely)]);
        let all = secrets.iter().chain([&ignored]).flat_map(Patterns::iter);
        let unused: Vec<&str> = all.filter(|(_, is_used)| !is_used).map(|(pattern, _)| pattern.as_str()).collect();
        // A pattern under `ignore` counts as used only if it matches a likely secret.
        assert_eq!(unused, ["**/never", "/a/x", "/old"]);
    }

    #[test]
    fn a_secret_that_is_named_and_ignored_is_a_secret() {
        let mut secrets = [Patterns::parse(["/password"]).unwrap()];
        let mut ignored = Patterns::parse(["**"]).unwrap();
        let leaf = ("/password", "hunter2");
        let found = all(&[leaf], &mut secrets, Some(&mut ignored));
        assert_eq!(found, [(leaf, Why::Named("/password".into()))]);
        assert_eq!(all(&[leaf], &mut [], None), []);
    }
}
