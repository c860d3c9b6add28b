package org.pripro.demo.head

import org.pripro.demo.HeadFailed
import org.pripro.demo.bundle.Head
import org.pripro.demo.bundle.TensorSpec
import org.pripro.demo.tail.Wire
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.io.File

/** ExecuTorch's Android library: XNNPACK and portable kernels. */
object ExecuTorchRuntime : HeadRuntime {
    override val name = "ExecuTorch"

    // the Core ML and Vulkan delegates are not in the library that Maven offers
    override fun accepts(head: Head) = head.target == "executorch" && head.backend in setOf("xnnpack", "portable")

    override fun open(head: Head, file: File, threads: Int): HeadRunner = guarded("opened") {
        val module = Module.load(file.path, Module.LOAD_MODE_MMAP, threads)
        try {
            module.loadMethod("forward")
            ExecuTorchHead(module, head)
        } catch (error: Throwable) {
            module.destroy()
            throw error
        }
    }
}

private class ExecuTorchHead(private val module: Module, head: Head) : HeadRunner {
    private val inputs = head.inputs
    private val output = head.outputs.single()

    override fun run(image: FloatArray, eps: FloatArray?): FloatArray = guarded("run") {
        val feed = inputs.map { EValue.from(tensor(it, if (it.name == "eps") checkNotNull(eps) else image)) }
        val answer = module.forward(*feed.toTypedArray())[0].toTensor()
        val expected = output.values.toLong()
        if (answer.numel() != expected) throw HeadFailed("The head gave ${answer.numel()} features, the bundle says $expected; convert it again.")
        if (output.dtype == "uint8") Wire.features(answer.getDataAsUnsignedByteArray(), output) else answer.getDataAsFloatArray()
    }

    override fun close() = module.destroy()

    private fun tensor(spec: TensorSpec, data: FloatArray): Tensor =
        Tensor.fromBlob(data, LongArray(spec.shape.size) { if (it == 0) 1 else spec.shape[it].toLong() })
}

/** The library throws plain RuntimeExceptions, and link errors where its native part is missing. */
private fun <T> guarded(what: String, block: () -> T): T = try {
    block()
} catch (error: RuntimeException) {
    throw HeadFailed("ExecuTorch: the head cannot be $what (${error.message}); convert it with the ExecuTorch version of this app.", error)
} catch (error: LinkageError) {
    throw HeadFailed("ExecuTorch has no native library for this phone's processor (${error.message}); it needs arm64-v8a or x86_64.", error)
}
