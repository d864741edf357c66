//! Why a message goes back to the server or becomes a dead letter: closed sets, fit for a metric label.

macro_rules! causes {
    ($($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $name:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $type {
            $($(#[$variant_doc])* $name,)+
        }

        impl $type {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The value of the metric label.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    )+};
}

causes! {
    /// Why a message goes back to the server.
    NakCause {
        /// The queue has no room for its alert.
        Shed = "shed",
        /// A decision could not be taken.
        SendAgain = "send_again",
        /// The process is stopping.
        Stopping = "stopping",
        /// The dead letter could not be published.
        DeadLetterFailed = "dead_letter_failed",
    }

    /// Why a message becomes a dead letter.
    DeadLetterCause {
        /// The message is not an alert.
        Undecodable = "undecodable",
        /// A decision could not be taken at the last delivery.
        SendAgain = "send_again",
        /// The queue had no room for its alert at the last delivery.
        Shed = "shed",
        /// No delivery led to an answer: each responder that took it ended first.
        Undecided = "undecided",
    }
}
