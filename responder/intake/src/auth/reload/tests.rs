use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::testing::TestFiles;

/// Two files as one text; a file that begins with `bad` can't be used.
struct Pair([PathBuf; 2]);

impl FileLoader for Pair {
    type Loaded = String;

    const WHAT: &'static str = "pairs";

    fn files(&self) -> Vec<&Path> {
        self.0.iter().map(PathBuf::as_path).collect()
    }

    fn load(&self, contents: &[Contents]) -> Result<String, Vec<Flaw>> {
        let texts: Vec<_> = contents
            .iter()
            .map(|contents| String::from_utf8(contents.expose_secret().clone()).unwrap())
            .collect();
        let bad = texts.iter().zip(&self.0).filter(|(text, _)| text.starts_with("bad"));
        let flaws: Vec<_> = bad.map(|(_, file)| Flaw::new(file.display(), "it is bad")).collect();
        if flaws.is_empty() {
            Ok(texts.join(" "))
        } else {
            Err(flaws)
        }
    }
}

fn pair(files: &TestFiles) -> Reloadable<Pair> {
    Reloadable::load(Pair([files.path("a"), files.path("b")])).unwrap_or_else(|flaws| panic!("{}", listed(&flaws)))
}

#[test]
fn changed_contents_are_taken_and_unchanged_ones_are_not_loaded_again() {
    let files = TestFiles::new();
    files.write("a", "one");
    files.write("b", "two");
    let pair = pair(&files);
    let first = pair.current();
    files.write("b", "two");
    assert!(pair.check_blocking(true));
    assert!(Arc::ptr_eq(&pair.current(), &first), "equal contents are not a change");
    files.write("b", "three");
    assert!(pair.check_blocking(true));
    assert_eq!(*pair.current(), "one three");
    assert_eq!(pair.reloads().taken, 1);
}

#[test]
fn files_that_cannot_be_used_leave_the_last_value_in_force_and_are_refused_once() {
    let files = TestFiles::new();
    files.write("a", "one");
    files.write("b", "two");
    let pair = pair(&files);
    files.write("a", "bad");
    assert!(!pair.check_blocking(false), "perhaps it is half of a change");
    assert_eq!(pair.reloads(), Reloads::default());
    for _ in 0..3 {
        pair.check_blocking(true);
    }
    assert_eq!(*pair.current(), "one two");
    let refused = Reloads {
        taken: 0,
        refused: 1,
        is_outdated: true,
    };
    assert_eq!(pair.reloads(), refused);
    std::fs::remove_file(files.path("a")).unwrap();
    pair.check_blocking(true);
    assert_eq!((pair.reloads().refused, &**pair.current()), (2, "one two"));
    files.write("a", "good");
    pair.check_blocking(true);
    assert_eq!(*pair.current(), "good two");
    assert!(!pair.reloads().is_outdated);
}

/// As the kubelet does it: the files are links into a link to a directory, and that link is swapped.
#[test]
fn a_swapped_link_is_a_change() {
    let files = TestFiles::new();
    for (version, text) in [("v1", "old"), ("v2", "new")] {
        std::fs::create_dir(files.path(version)).unwrap();
        files.write(&format!("{version}/a"), text);
        files.write(&format!("{version}/b"), text);
    }
    symlink("v1", files.path("..data")).unwrap();
    symlink("..data/a", files.path("a")).unwrap();
    symlink("..data/b", files.path("b")).unwrap();
    let pair = pair(&files);
    symlink("v2", files.path("..next")).unwrap();
    std::fs::rename(files.path("..next"), files.path("..data")).unwrap();
    pair.check_blocking(true);
    assert_eq!(*pair.current(), "new new");
}

#[test]
fn every_flaw_at_the_start_is_reported_at_once() {
    let files = TestFiles::new();
    files.write("long", &"x".repeat(1024 * 1024 + 1));
    let flaws = Reloadable::load(Pair([files.path("long"), files.directory().to_owned()]))
        .err()
        .unwrap();
    let problems: Vec<_> = flaws
        .iter()
        .map(|flaw| flaw.problem.split(';').next().unwrap())
        .collect();
    assert_eq!(problems, ["it is longer than 1 MiB", "it is not a file"]);
}

#[tokio::test(start_paused = true)]
async fn files_are_checked_at_intervals_and_for_a_request_with_unknown_credentials() {
    let files = TestFiles::new();
    files.write("a", "one");
    files.write("b", "two");
    let pair = Arc::new(pair(&files));
    let first = pair.current();
    files.write("a", "three");
    assert!(pair.newer(&first).await.is_none(), "they have just been checked");
    tokio::time::advance(SHORTEST_INTERVAL).await;
    assert_eq!(*pair.newer(&first).await.unwrap(), "three two");
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(Arc::clone(&pair).keep_current(stop.clone()));
    let mut news = pair.subscribe();
    files.write("a", "four");
    news.changed().await.unwrap();
    assert_eq!(*pair.current(), "four two");
    stop.cancel();
    keeper.await.unwrap();
}
