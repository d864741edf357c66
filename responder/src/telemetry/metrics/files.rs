//! The files of intake that are read again when they change.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use responder_intake::auth::Reloads;

use super::Page;

/// The files of intake that are read again.
#[derive(Debug)]
pub(super) struct ReloadedFiles(pub(super) Vec<(&'static str, Reloads)>);

impl Collector for ReloadedFiles {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let reloads = self.0.iter().flat_map(|(files, reloads)| {
            [("taken", reloads.taken), ("refused", reloads.refused)]
                .map(|(result, count)| (vec![("files", *files), ("result", result)], count))
        });
        page.families(
            "file_reloads",
            "ReloadedFiles that changed and were read again, by whether what is in them can be used",
            MetricType::Counter,
            reloads,
        )?;
        let outdated = self.0.iter().map(|(files, reloads)| {
            let value = u64::from(reloads.is_outdated);
            (vec![("files", *files)], value)
        });
        page.families(
            "files_outdated",
            "1 where what is in the files can't be used, and what was read before is in force",
            MetricType::Gauge,
            outdated,
        )
    }
}
