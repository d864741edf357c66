//! The reloads of the intake's files.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use responder_intake::auth::Reloads;

use super::page::Page;

/// The reloads, by kind of file.
#[derive(Debug)]
pub(super) struct FileMetrics(pub(super) Vec<(&'static str, Reloads)>);

impl Collector for FileMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let reloads = self.0.iter().flat_map(|(files, reloads)| {
            [("taken", reloads.taken), ("refused", reloads.refused)]
                .map(|(result, count)| (vec![("files", *files), ("result", result)], count))
        });
        page.families(
            "file_reloads",
            "Reloads of changed files, by whether the change is in force",
            MetricType::Counter,
            reloads,
        )?;
        let outdated = self.0.iter().map(|(files, reloads)| {
            let value = u64::from(reloads.is_outdated);
            (vec![("files", *files)], value)
        });
        page.families(
            "files_outdated",
            "1 while changed files can't be used and the previous contents are in force",
            MetricType::Gauge,
            outdated,
        )
    }
}
