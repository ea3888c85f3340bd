//! Detects lists of messages, in which `"password": "Passwort"` is a label.

/// Counts the values of a text, and how many of them are sentences.
#[derive(Default)]
pub(super) struct Prose {
    all: usize,
    prose: usize,
}

impl Prose {
    pub(super) fn add(&mut self, value: &str) {
        // The fast path: most values are a single word.
        if !value.contains(' ') {
            self.all += usize::from(value.contains(char::is_alphabetic));
            return;
        }
        let has_letters = value.contains(char::is_alphabetic);
        self.all += usize::from(has_letters);
        let mut words =
            value.split(' ').filter(|word| word.chars().all(char::is_alphabetic) && word.chars().count() >= 2);
        self.prose += usize::from(has_letters && words.nth(1).is_some());
    }

    /// Reports whether at least a third of the values are sentences: the text is then a list of messages.
    pub(super) fn is_most(&self) -> bool {
        self.all >= 10 && self.prose * 3 >= self.all
    }
}
