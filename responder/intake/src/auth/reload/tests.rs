use std::os::unix::fs::symlink;

use super::*;
use crate::auth::testing::TestFiles;

/// Two files as one text; whatever begins with `bad` can't be used.
struct Pair([PathBuf; 2]);

impl Recipe for Pair {
    type Made = String;

    const WHAT: &'static str = "pairs";

    fn files(&self) -> Vec<&Path> {
        self.0.iter().map(PathBuf::as_path).collect()
    }

    fn make(&self, contents: &[Contents]) -> Result<String, Vec<Flaw>> {
        let texts: Vec<_> = contents
            .iter()
            .map(|contents| String::from_utf8(contents.expose_secret().clone()).unwrap())
            .collect();
        let bad = texts.iter().zip(&self.0).filter(|(text, _)| text.starts_with("bad"));
        let flaws: Vec<_> = bad.map(|(_, file)| Flaw::new(file, "it is bad")).collect();
        if flaws.is_empty() {
            Ok(texts.join(" "))
        } else {
            Err(flaws)
        }
    }
}

fn kept(files: &TestFiles) -> Kept<Pair> {
    Kept::load(Pair([files.path("a"), files.path("b")])).unwrap_or_else(|flaws| panic!("{}", listed(&flaws)))
}

#[test]
fn what_changes_is_taken_and_what_does_not_is_left() {
    let files = TestFiles::new();
    files.write("a", "one");
    files.write("b", "two");
    let kept = kept(&files);
    let first = kept.current();
    files.write("b", "two");
    assert!(kept.look_blocking(true));
    assert!(Arc::ptr_eq(&kept.current(), &first), "the same contents are no change");
    files.write("b", "three");
    assert!(kept.look_blocking(true));
    assert_eq!(*kept.current(), "one three");
    assert_eq!(kept.reloads().taken, 1);
}

#[test]
fn what_cannot_be_used_leaves_the_last_in_force_and_is_said_once() {
    let files = TestFiles::new();
    files.write("a", "one");
    files.write("b", "two");
    let kept = kept(&files);
    files.write("a", "bad");
    assert!(!kept.look_blocking(false), "perhaps it is half of a change");
    assert_eq!(kept.reloads(), Reloads::default());
    for _ in 0..3 {
        kept.look_blocking(true);
    }
    assert_eq!(*kept.current(), "one two");
    let refused = Reloads {
        taken: 0,
        refused: 1,
        is_outdated: true,
    };
    assert_eq!(kept.reloads(), refused);
    std::fs::remove_file(files.path("a")).unwrap();
    kept.look_blocking(true);
    assert_eq!((kept.reloads().refused, &**kept.current()), (2, "one two"));
    files.write("a", "good");
    kept.look_blocking(true);
    assert_eq!(*kept.current(), "good two");
    assert!(!kept.reloads().is_outdated);
}

/// As the kubelet does it: the files are links into a link to a directory, which is swapped as one.
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
    let kept = kept(&files);
    symlink("v2", files.path("..next")).unwrap();
    std::fs::rename(files.path("..next"), files.path("..data")).unwrap();
    kept.look_blocking(true);
    assert_eq!(*kept.current(), "new new");
}

#[test]
fn everything_that_is_wrong_at_the_start_is_said_at_once() {
    let files = TestFiles::new();
    files.write("long", &"x".repeat(1024 * 1024 + 1));
    let flaws = Kept::load(Pair([files.path("long"), files.directory().to_owned()]))
        .err()
        .unwrap();
    let problems: Vec<_> = flaws
        .iter()
        .map(|flaw| flaw.problem.split(';').next().unwrap())
        .collect();
    assert_eq!(problems, ["it is longer than 1 MiB", "it is no file"]);
}

#[tokio::test(start_paused = true)]
async fn files_are_looked_at_from_time_to_time_and_for_whoever_knocks() {
    let files = TestFiles::new();
    files.write("a", "one");
    files.write("b", "two");
    let kept = Arc::new(kept(&files));
    let first = kept.current();
    files.write("a", "three");
    assert!(kept.newer(&first).await.is_none(), "they have just been looked at");
    tokio::time::advance(SOONEST).await;
    assert_eq!(*kept.newer(&first).await.unwrap(), "three two");
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(Arc::clone(&kept).keep(stop.clone()));
    let mut news = kept.subscribe();
    files.write("a", "four");
    news.changed().await.unwrap();
    assert_eq!(*kept.current(), "four two");
    stop.cancel();
    keeper.await.unwrap();
}
