//! A bar on stderr.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, if one is wanted.
#[derive(Debug, Default)]
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    label: Cow<'static, str>,
    failed: u64,
}

impl Bar {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn new(label: Cow<'static, str>, total: Option<usize>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total as u64),
            None => ProgressBar::no_length(),
        };
        let template = match total {
            Some(_) => "{msg} [{wide_bar}] {pos}/{len} {per_sec}, {eta} left",
            None => "{msg} {spinner} {pos} {per_sec}",
        };
        // The template is ours and holds.
        let style = ProgressStyle::with_template(template);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let bar = bar.with_message(label.clone());
        Self { bar: Some(bar), label, failed: 0 }
    }

    /// Counts an item.
    pub(crate) fn add(&mut self, has_failed: bool) {
        let Some(bar) = &self.bar else { return };
        if has_failed {
            self.failed += 1;
            bar.set_message(format!("{}, {} failed", self.label, self.failed));
        }
        bar.inc(1);
    }

    /// Leaves the bar as it is.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
    }
}
