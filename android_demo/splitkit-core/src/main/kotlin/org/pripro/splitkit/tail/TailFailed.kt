package org.pripro.splitkit.tail

import org.pripro.splitkit.SplitKitException

/** The tail answered wrongly or not at all; each kind of failure has its own sentence. */
public sealed class TailFailed(message: String, cause: Throwable? = null) : SplitKitException(message, cause) {
    /** No connection, or it broke. */
    public class Unreachable(url: String, why: String, cause: Throwable?) :
        TailFailed("The tail at $url cannot be reached ($why); check the network and the address.", cause)

    /** No answer within the deadline. */
    public class TooSlow(milliseconds: Long, cause: Throwable?) :
        TailFailed("The tail did not answer within ${milliseconds / 1000.0} s; try again, or look at the server's load.", cause)

    /** 503 after all retries. */
    public class Busy(attempts: Int) : TailFailed("The tail is busy (503) and stayed so for $attempts attempts; try again later.")

    /** 409: head and tail are halves of different networks. */
    public class OtherBundle(public val ours: String, public val theirs: String?) : TailFailed(
        "This app's head belongs to bundle ${ours.take(12)}, the tail serves ${theirs?.take(12) ?: "another one"} (409); " +
            "copy the tail's bundle into the app, or serve this one.",
    )

    /** 401: a token is missing or wrong. */
    public class Unauthorised : TailFailed("The tail refused the token (401); set the one it was started with.")

    /** Another status. */
    public class Status(public val status: Int, said: String) : TailFailed("The tail answered with status $status: $said")

    /** Status 200 with a body that is not an answer. */
    public class BadAnswer(why: String, cause: Throwable? = null) :
        TailFailed("The tail's answer cannot be read ($why); check that the address is a pripro tail.", cause)

    /** The features were not fit to send. */
    public class BadFeatures(why: String) : TailFailed("The head's features cannot be sent: $why")

    /** The address itself. */
    public class BadAddress(why: String) :
        TailFailed("The tail's address does not fit: $why; expected https://host:port, or http for this phone itself.")
}
