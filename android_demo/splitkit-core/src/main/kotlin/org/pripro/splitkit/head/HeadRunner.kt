package org.pripro.splitkit.head

import org.pripro.splitkit.bundle.Head
import java.io.Closeable
import java.io.File

/** A head, opened by its runtime. Not for two threads at once. */
public interface HeadRunner : Closeable {
    /** What really ran it, where the runtime says so; null where it does not. */
    public val ranOn: String? get() = null

    /**
     * Runs once.
     *
     * @param image [C,H,W], preprocessed.
     * @param eps the noise, in the shape of the manifest's eps; null for a head that takes none.
     * @return the protected smashed features [c,h,w], an array of its own; of a head that emits the wire's codes the features
     *   that they stand for, which sent as uint8 are those codes again.
     * @throws org.pripro.splitkit.HeadFailed the runtime refused.
     */
    public fun run(image: FloatArray, eps: FloatArray?): FloatArray
}

/** What a phone may offer to run a head on. */
public enum class Accelerator { CPU, GPU, NPU }

/**
 * How a head is opened.
 *
 * @param threads of the CPU.
 * @param accelerator what the runtime is asked for; parity must pass on it before it is used for photos.
 */
public data class HeadOptions(val threads: Int = 2, val accelerator: Accelerator = Accelerator.CPU)

/** A library that runs heads. Each is found by its entry in META-INF/services. */
public interface HeadRuntime {
    /** For reports: its name and, where known, its version. */
    public val name: String

    /** Lower comes first where several runtimes could be chosen. */
    public val rank: Int

    public fun accepts(head: Head): Boolean

    /** What this phone offers to that library; the CPU is always among it. */
    public fun accelerators(): Set<Accelerator> = setOf(Accelerator.CPU)

    /** @throws org.pripro.splitkit.HeadFailed the file cannot be opened by this library. */
    public fun open(head: Head, file: File, options: HeadOptions): HeadRunner
}
