package org.pripro.splitkit.executorch

import org.pripro.splitkit.HeadFailed
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.HeadRuntime
import org.pripro.splitkit.head.SharedPool
import org.pripro.splitkit.tail.Wire
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.io.File
import java.nio.FloatBuffer

/**
 * ExecuTorch's Android library. Which delegates it holds depends on the artifact that the app was built with: the usual one
 * has XNNPACK and portable kernels, others add Vulkan or QNN. A .pte says itself which delegate it needs, so the choice of an
 * accelerator is the choice of a head.
 */
public class ExecuTorchRuntime : HeadRuntime {
    override val name: String = "ExecuTorch"
    override val rank: Int = 0

    override fun accepts(head: Head): Boolean = head.target == "executorch" && head.backend in setOf("xnnpack", "portable", "vulkan", "qnn")

    override fun open(head: Head, file: File, options: HeadOptions): HeadRunner = POOL.open(options.threads) {
        guarded("opened") {
            val module = Module.load(file.path, Module.LOAD_MODE_MMAP, options.threads)
            try {
                module.loadMethod("forward")
                ExecuTorchHead(module, head)
            } catch (error: Throwable) {
                module.destroy()
                throw error
            }
        }
    }

    private companion object {
        /** Module.load resets the process's one thread pool. */
        val POOL = SharedPool()
    }
}

private class ExecuTorchHead(private val module: Module, head: Head) : HeadRunner {
    // memory that the library reads in place and that can be wiped; an array would be copied out of our reach
    private val buffers = head.inputs.associate { it.name to Tensor.allocateFloatBuffer(it.values) }
    private val feed = head.inputs.map { EValue.from(Tensor.fromBlob(buffers.getValue(it.name), shape(it))) }.toTypedArray()
    private val output = head.outputs.single()

    override val ranOn: String? by lazy { module.getMethodMetadata("forward").backends.joinToString("+").ifEmpty { "portable kernels" } }

    override fun run(image: FloatArray, eps: FloatArray?): FloatArray = guarded("run") {
        try {
            for ((name, buffer) in buffers) fill(buffer, if (name == "eps") checkNotNull(eps) else image)
            val answer = module.forward(*feed)[0].toTensor()
            val expected = output.values.toLong()
            if (answer.numel() != expected) throw HeadFailed("The head gave ${answer.numel()} features, the bundle says $expected; convert it again.")
            when {
                output.dtype == "uint8" -> Wire.features(answer.dataAsUnsignedByteArray, output) // of bundles before 2026-11-28
                output.scale != null -> Wire.features(answer.dataAsFloatArray, output)
                else -> answer.dataAsFloatArray
            }
        } finally {
            buffers["eps"]?.let { fill(it, FloatArray(it.capacity())) }
        }
    }

    override fun close() = module.destroy()

    private fun fill(buffer: FloatBuffer, values: FloatArray) {
        buffer.clear()
        buffer.put(values)
        buffer.rewind()
    }

    private fun shape(spec: TensorSpec) = LongArray(spec.shape.size) { if (it == 0) 1 else spec.shape[it].toLong() }
}

/** The library throws plain RuntimeExceptions, and link errors where its native part is missing. */
private fun <T> guarded(what: String, block: () -> T): T = try {
    block()
} catch (error: RuntimeException) {
    throw HeadFailed("ExecuTorch: the head cannot be $what (${error.message}); convert it with the ExecuTorch version of this app.", error)
} catch (error: LinkageError) {
    throw HeadFailed("ExecuTorch has no native library for this phone's processor (${error.message}); it needs arm64-v8a or x86_64.", error)
}
