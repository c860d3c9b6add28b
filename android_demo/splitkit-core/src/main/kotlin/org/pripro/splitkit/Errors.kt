package org.pripro.splitkit

/**
 * Root of everything that goes wrong in a way a person can understand: the message is one sentence that says what is
 * wrong and what to do, ready for the screen.
 *
 *     SplitKitException
 *     |-- BundleRefused     the bundle in this app is damaged, edited or of another schema
 *     |-- HeadFailed        the head could not be opened or run
 *     |-- TailFailed        the tail answered wrongly or not at all (tail/TailFailed.kt)
 *     `-- PhotoFailed       the photo could not be read
 */
public open class SplitKitException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** The bundle in this app is damaged, edited or of another schema. */
public class BundleRefused(message: String, cause: Throwable? = null) : SplitKitException(message, cause)

/** The head could not be opened or run. */
public class HeadFailed(message: String, cause: Throwable? = null) : SplitKitException(message, cause)

/** The photo could not be read. */
public class PhotoFailed(message: String, cause: Throwable? = null) : SplitKitException(message, cause)
