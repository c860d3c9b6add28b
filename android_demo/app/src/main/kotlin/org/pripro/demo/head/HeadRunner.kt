package org.pripro.demo.head

import org.pripro.demo.bundle.Head
import java.io.Closeable
import java.io.File

/** A head, opened by its runtime. Not for two threads at once. */
interface HeadRunner : Closeable {
    /**
     * Runs once.
     *
     * @param image [C,H,W], preprocessed.
     * @param eps the noise, in the shape of the manifest's eps; null for a head that takes none.
     * @return the protected smashed features [c,h,w], an array of its own; of a head that emits the wire's codes the features
     *   that they stand for, which sent as uint8 are those codes again.
     * @throws org.pripro.demo.HeadFailed the runtime refused.
     */
    fun run(image: FloatArray, eps: FloatArray?): FloatArray
}

/** A library that runs heads. */
interface HeadRuntime {
    /** For reports: its name and, where it tells, its version. */
    val name: String

    fun accepts(head: Head): Boolean

    /** @throws org.pripro.demo.HeadFailed the file cannot be opened by this library. */
    fun open(head: Head, file: File, threads: Int): HeadRunner
}
