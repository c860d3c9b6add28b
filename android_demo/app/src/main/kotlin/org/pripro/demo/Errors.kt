package org.pripro.demo

/**
 * Root of everything that goes wrong in a way a person can understand: the message is one sentence that says what is
 * wrong and what to do, ready for the screen.
 *
 *     DemoException
 *     |-- BundleRefused     the bundle in this app is damaged, edited or of another schema
 *     |-- HeadFailed        the head could not be opened or run
 *     |-- TailFailed        the tail answered wrongly or not at all (tail/TailFailed.kt)
 *     `-- PhotoFailed       the photo could not be read
 */
open class DemoException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** The bundle in this app is damaged, edited or of another schema. */
class BundleRefused(message: String, cause: Throwable? = null) : DemoException(message, cause)

/** The head could not be opened or run. */
class HeadFailed(message: String, cause: Throwable? = null) : DemoException(message, cause)

/** The photo could not be read. */
class PhotoFailed(message: String, cause: Throwable? = null) : DemoException(message, cause)
