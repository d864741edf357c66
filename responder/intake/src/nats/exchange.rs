//! The bound of one exchange with the server.

use std::time::Duration;

/// For one request to the server and its answer.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
