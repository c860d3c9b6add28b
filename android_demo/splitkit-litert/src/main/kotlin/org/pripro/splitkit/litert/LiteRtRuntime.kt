package org.pripro.splitkit.litert

import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import org.pripro.splitkit.HeadFailed
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.Accelerator
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.HeadRuntime
import org.pripro.splitkit.tail.Wire
import java.io.File
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator

/** LiteRT (TensorFlow Lite's successor): XNNPACK on the processor's cores, or the GPU or NPU where the phone offers one. */
public class LiteRtRuntime : HeadRuntime {
    override val name: String = "LiteRT"
    override val rank: Int = 1

    override fun accepts(head: Head): Boolean = head.target == "tflite"

    /** What the library finds on this phone. The CPU is always offered; a library that cannot be asked offers nothing more. */
    override fun accelerators(): Set<Accelerator> = try {
        Environment.create().use { environment -> environment.getAvailableAccelerators().mapNotNull(::ours).toSet() + Accelerator.CPU }
    } catch (_: LiteRtException) {
        setOf(Accelerator.CPU)
    } catch (_: LinkageError) {
        setOf(Accelerator.CPU)
    }

    override fun open(head: Head, file: File, options: HeadOptions): HeadRunner = guarded("opened") {
        val asked = when (options.accelerator) {
            Accelerator.CPU -> LiteRtAccelerator.CPU
            Accelerator.GPU -> LiteRtAccelerator.GPU
            Accelerator.NPU -> LiteRtAccelerator.NPU
        }
        // no fallback beside it: what does not run there must fail, not run elsewhere under its name
        val how = CompiledModel.Options(asked)
        if (options.accelerator == Accelerator.CPU) how.cpuOptions = CompiledModel.CpuOptions(numThreads = options.threads)
        LiteRtHead(CompiledModel.create(file.path, how), head)
    }

    private fun ours(found: LiteRtAccelerator): Accelerator? = when (found) {
        LiteRtAccelerator.CPU -> Accelerator.CPU
        LiteRtAccelerator.GPU -> Accelerator.GPU
        LiteRtAccelerator.NPU -> Accelerator.NPU
        LiteRtAccelerator.NONE -> null
    }
}

private class LiteRtHead(private val model: CompiledModel, head: Head) : HeadRunner {
    // by name: a .tflite file may list its inputs in another order than the bundle
    private val inputs: Map<String, TensorBuffer> = head.inputs.associate { it.name to model.createInputBuffer(it.name) }
    private val outputs: Map<String, TensorBuffer> = head.outputs.associate { it.name to model.createOutputBuffer(it.name) }
    private val output = head.outputs.single()
    private val nothing = head.inputs.firstOrNull { it.name == "eps" }?.let { FloatArray(it.values) }

    override fun run(image: FloatArray, eps: FloatArray?): FloatArray = guarded("run") {
        try {
            for ((name, buffer) in inputs) buffer.writeFloat(if (name == "eps") checkNotNull(eps) else image)
            model.run(inputs, outputs)
            val answer = outputs.values.single()
            if (output.dtype == "uint8") Wire.features(answer.readInt8(), output) else answer.readFloat()
        } finally {
            nothing?.let { inputs.getValue("eps").writeFloat(it) }
        }
    }

    override fun close() {
        (inputs.values + outputs.values).forEach { it.close() }
        model.close()
    }
}

private fun <T> guarded(what: String, block: () -> T): T = try {
    block()
} catch (error: LiteRtException) {
    throw HeadFailed("LiteRT: the head cannot be $what (${error.message}); convert it again, or choose another accelerator.", error)
} catch (error: RuntimeException) {
    throw HeadFailed("LiteRT: the head cannot be $what (${error.message}); convert it again, or choose another accelerator.", error)
} catch (error: LinkageError) {
    throw HeadFailed("LiteRT has no native library for this phone's processor (${error.message}).", error)
}
