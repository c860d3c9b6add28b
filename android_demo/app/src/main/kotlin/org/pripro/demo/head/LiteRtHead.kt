package org.pripro.demo.head

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import org.pripro.demo.HeadFailed
import org.pripro.demo.bundle.Head
import org.pripro.demo.tail.Wire
import java.io.File

/** LiteRT (TensorFlow Lite's successor) on the processor's cores, through XNNPACK. */
object LiteRtRuntime : HeadRuntime {
    override val name = "LiteRT"

    override fun accepts(head: Head) = head.target == "tflite"

    override fun open(head: Head, file: File, threads: Int): HeadRunner = guarded("opened") {
        val options = CompiledModel.Options(Accelerator.CPU)
        options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
        LiteRtHead(CompiledModel.create(file.path, options), head)
    }
}

private class LiteRtHead(private val model: CompiledModel, head: Head) : HeadRunner {
    // by name: a .tflite file may list its inputs in another order than the bundle
    private val inputs: Map<String, TensorBuffer> = head.inputs.associate { it.name to model.createInputBuffer(it.name) }
    private val outputs: Map<String, TensorBuffer> = head.outputs.associate { it.name to model.createOutputBuffer(it.name) }
    private val output = head.outputs.single()

    override fun run(image: FloatArray, eps: FloatArray?): FloatArray = guarded("run") {
        for ((name, buffer) in inputs) buffer.writeFloat(if (name == "eps") checkNotNull(eps) else image)
        model.run(inputs, outputs)
        val answer = outputs.values.single()
        if (output.dtype == "uint8") Wire.features(answer.readInt8(), output) else answer.readFloat()
    }

    override fun close() {
        (inputs.values + outputs.values).forEach { it.close() }
        model.close()
    }
}

private fun <T> guarded(what: String, block: () -> T): T = try {
    block()
} catch (error: LiteRtException) {
    throw HeadFailed("LiteRT: the head cannot be $what (${error.message}); convert it again.", error)
} catch (error: RuntimeException) {
    throw HeadFailed("LiteRT: the head cannot be $what (${error.message}); convert it again.", error)
} catch (error: LinkageError) {
    throw HeadFailed("LiteRT has no native library for this phone's processor (${error.message}).", error)
}
