//! Takes secrets out of an alert's text: command lines carry passwords, tokens and keys, and a label or an annotation is read
//! by many.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether secrets are taken out of text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Redactor {
    /// Each secret is replaced by `***`.
    #[default]
    On,
    /// Text stays as it is.
    Off,
}

impl Redactor {
    /// The text without its secrets. Takes linear time.
    pub fn redact(self, text: &str) -> Cow<'_, str> {
        if self == Self::Off {
            return Cow::Borrowed(text);
        }
        let Some(patterns) = &*PATTERNS else {
            // Nothing can be told apart, so nothing is told.
            return Cow::Borrowed("***");
        };
        let mut redacted = Cow::Borrowed(text);
        // Each pattern on what the one before it has left, so that none sees half of a secret.
        for index in patterns.set.matches(text) {
            let Some((pattern, with)) = patterns.each.get(index) else {
                continue;
            };
            if let Cow::Owned(without) = pattern.replace_all(&redacted, *with) {
                redacted = Cow::Owned(without);
            }
        }
        redacted
    }
}

/// The words that announce a secret.
macro_rules! words {
    () => {
        r"(?:password|passwd|passphrase|passwort|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|credential)s?[A-Za-z0-9_.-]*"
    };
}

/// `DB_PASSWORD=`, `"clientSecret": `.
macro_rules! named {
    () => {
        concat!(r"(?i)([A-Za-z0-9_.-]*", words!(), r#"["']?\s*[=:]\s*)"#)
    };
}

/// `--token `, `-password `.
macro_rules! option {
    () => {
        concat!(r"(?i)((?:^|\s)--?[A-Za-z0-9_.-]*", words!(), r"\s+)")
    };
}

/// Patterns of secrets, each with what stays. In order: a block or a token of a known shape first, then what a name announces.
const SECRETS: &[(&str, &str)] = &[
    // A private key; cut text may lack its end.
    (
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)",
        "***",
    ),
    // A JSON Web Token; cut text may lack its later parts.
    (r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}", "***"),
    // Access keys and tokens by their prefixes: AWS, GitHub, GitLab, Slack, Stripe, Google, npm, PyPI, Vault, SendGrid, OpenAI
    // and Anthropic, DigitalOcean, Hugging Face.
    (
        r"\b(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|[sr]k_(?:live|test)_[A-Za-z0-9]{8,}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{8,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{16,}|hv[sbr]\.[A-Za-z0-9_-]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|sk-[A-Za-z0-9_-]{16,}|do[opr]_v1_[a-f0-9]{32,}|hf_[A-Za-z0-9]{16,})",
        "***",
    ),
    // The user information of a URL: a password, or a token in the place of the user.
    (r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", "$1:***@"),
    (r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/:@]{16,}@", "$1***@"),
    // An Authorization header.
    (
        r"(?i)\b(bearer|basic|digest|negotiate)(\s+)[A-Za-z0-9._~+/=-]{6,}",
        "$1$2***",
    ),
    (
        r#"(?i)\b(authorization["']?\s*[:=]\s*["']?)(?:[a-z]+\s+)?[^\s"']+"#,
        "$1***",
    ),
    // A name that announces a secret, with `=` or `:`; or an option, with a blank as well.
    (concat!(named!(), r#""[^"]*("?)"#), "$1\"***$2"),
    (concat!(named!(), r"'[^']*('?)"), "$1'***$2"),
    (concat!(named!(), r#"[^\s"',;&|]+"#), "$1***"),
    (concat!(option!(), r#""[^"]*("?)"#), "$1\"***$2"),
    (concat!(option!(), r"'[^']*('?)"), "$1'***$2"),
    (concat!(option!(), r#"[^\s"']+"#), "$1***"),
    // Programs whose short option is a password.
    (
        r"(?i)(\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump)\b[^|;&]*?\s-p)[^\s]+",
        "$1***",
    ),
    (r"(?i)(\bsshpass\s+-p\s*)[^\s]+", "$1***"),
    (
        r#"(?i)(\b(?:curl|wget|http)\b[^|;&]*?\s(?:-u|--user)[\s=]*["']?[^\s:"']+:)[^\s"']+"#,
        "$1***",
    ),
    (r"(?i)(\bredis-cli\b[^|;&]*?\s-a\s*)[^\s]+", "$1***"),
];

struct Patterns {
    set: RegexSet,
    each: Vec<(Regex, &'static str)>,
}

/// `None` if a pattern of ours is none, which a test excludes.
static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let each = SECRETS
        .iter()
        .map(|(pattern, with)| Ok((Regex::new(pattern)?, *with)))
        .collect::<Result<Vec<_>, regex::Error>>();
    let set = RegexSet::new(SECRETS.iter().map(|(pattern, _)| pattern));
    Some(Patterns {
        set: set.ok()?,
        each: each.ok()?,
    })
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::assigned("PGPASSWORD=hunter2 psql -h db", "PGPASSWORD=*** psql -h db")]
    #[case::quoted("export API_KEY=\"a b c\" && run", "export API_KEY=\"***\" && run")]
    #[case::json(
        "{\"password\": \"hunter2\", \"user\": \"eve\"}",
        "{\"password\": \"***\", \"user\": \"eve\"}"
    )]
    #[case::option("vault login --token s.abcdef", "vault login --token ***")]
    #[case::option_with_an_equals_sign("tool --db-password=hunter2 -v", "tool --db-password=*** -v")]
    #[case::query(
        "curl https://x/?access_token=abc&user=eve",
        "curl https://x/?access_token=***&user=eve"
    )]
    #[case::url(
        "git clone https://eve:hunter2@git.example/x.git",
        "git clone https://eve:***@git.example/x.git"
    )]
    #[case::token_in_a_url(
        "git clone https://0123456789abcdef0123@git.example/x",
        "git clone https://***@git.example/x"
    )]
    #[case::header(
        "curl -H 'Authorization: Bearer abc.def-123' https://x",
        "curl -H 'Authorization: ***' https://x"
    )]
    #[case::bearer("wget --header=\"X: Bearer abcdefgh\"", "wget --header=\"X: Bearer ***\"")]
    #[case::basic("curl -u eve:hunter2 https://x", "curl -u eve:*** https://x")]
    #[case::mysql("mysql -u root -phunter2 shop", "mysql -u root -p*** shop")]
    #[case::sshpass("sshpass -p hunter2 ssh x", "sshpass -p *** ssh x")]
    #[case::redis("redis-cli -h db -a hunter2 ping", "redis-cli -h db -a *** ping")]
    #[case::aws("aws configure set x AKIAIOSFODNN7EXAMPLE", "aws configure set x ***")]
    #[case::github("echo ghp_0123456789abcdefghijABCDEFGHIJ012345", "echo ***")]
    #[case::slack("post xoxb-1234567890-abcdef", "post ***")]
    #[case::jwt("curl eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "curl ***")]
    #[case::a_cut_jwt("curl eyJhbGciOiJIUzI1NiJ9.eyJzdW", "curl ***")]
    #[case::a_private_key(
        "echo '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----' > k",
        "echo '***' > k"
    )]
    #[case::a_cut_private_key("echo -----BEGIN PRIVATE KEY-----\nMIIE", "echo ***")]
    fn a_secret_is_replaced(#[case] text: &str, #[case] redacted: &str) {
        assert_eq!(Redactor::On.redact(text), redacted);
        assert_eq!(Redactor::Off.redact(text), text);
    }

    #[rstest]
    #[case("bash -c 'cat /etc/shadow'")]
    #[case("grep -r aws_secret_access_key /")]
    #[case("apt-get install -y nmap")]
    #[case("passwd root")]
    #[case("curl https://git.example/x?user=eve")]
    #[case("ssh -p 2222 eve@db")]
    #[case("mysql -u root shop")]
    #[case("python3 -m http.server 8080")]
    fn text_without_a_secret_stays_as_it_is(#[case] text: &str) {
        assert!(matches!(Redactor::On.redact(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn every_pattern_is_one() {
        assert!(PATTERNS.is_some());
    }

    /// A secret as people choose them: no blank, no quote, nothing that ends a word of a shell or a URL.
    fn secret() -> impl Strategy<Value = String> {
        "[A-Za-z0-9+_!#%^*.~-]{6,40}".prop_map(|text| format!("Zq{text}"))
    }

    fn planted() -> impl Strategy<Value = (String, String)> {
        let places: Vec<fn(&str) -> String> = vec![
            |secret| format!("PASSWORD={secret}"),
            |secret| format!("export DB_PASSWORD='{secret}'"),
            |secret| format!("tool --password {secret} --verbose"),
            |secret| format!("tool --api-key={secret}"),
            |secret| format!("tool -token {secret}"),
            |secret| format!("curl https://eve:{}@git.example/", secret.replace('#', "")),
            |secret| format!("curl -H \"Authorization: Token {secret}\" https://x"),
            |secret| format!("mysql -uroot -p{secret}"),
            |secret| format!("{{\"clientSecret\":\"{secret}\"}}"),
            |secret| format!("aws_secret_access_key = {secret}"),
        ];
        (secret(), proptest::sample::select(places)).prop_map(|(secret, place)| {
            let text = place(&secret);
            let secret = if text.contains(&secret) {
                secret
            } else {
                secret.replace('#', "")
            };
            (secret, text)
        })
    }

    proptest! {
        #[test]
        fn no_planted_secret_comes_out((secret, text) in planted(), before in "[a-z /.]{0,40}", after in "[a-z /.]{0,40}") {
            let text = format!("{before} {text} {after}");
            let redacted = Redactor::On.redact(&text);
            prop_assert!(!redacted.contains(&secret), "{}", redacted);
        }

        #[test]
        fn a_redacted_text_is_redacted_no_further((_, text) in planted()) {
            let once = Redactor::On.redact(&text).into_owned();
            let twice = Redactor::On.redact(&once).into_owned();
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn any_text_can_be_redacted(text in any::<String>()) {
            Redactor::On.redact(&text);
        }
    }
}
