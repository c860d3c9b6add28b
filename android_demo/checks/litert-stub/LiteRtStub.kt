// STUB, for check.sh only and never part of the app: the few signatures of com.google.ai.edge.litert:litert 2.x that
// LiteRtRuntime.kt uses, so that its types can be checked where the real library is not at hand. Nothing here works.
// Taken from the library's published API; when its version in gradle/libs.versions.toml changes, compare again.
package com.google.ai.edge.litert

import android.content.res.AssetManager

class LiteRtException(message: String) : Exception(message)

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class JniHandle : AutoCloseable {
    override fun close() = error("stub")
}

class TensorBuffer private constructor() : JniHandle() {
    fun writeFloat(data: FloatArray): Unit = error("stub")

    fun readFloat(): FloatArray = error("stub")

    fun readInt8(): ByteArray = error("stub")
}

class Environment private constructor() : JniHandle() {
    fun getAvailableAccelerators(): Set<Accelerator> = error("stub")

    companion object {
        fun create(): Environment = error("stub")
    }
}

class CompiledModel private constructor() : JniHandle() {
    data class CpuOptions(val numThreads: Int? = null, val xnnPackFlags: Int? = null, val xnnPackWeightCachePath: String? = null)

    class Options(internal vararg val accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    fun createInputBuffer(inputName: String, signature: String? = null): TensorBuffer = error("stub $inputName $signature")

    fun createOutputBuffer(outputName: String, signature: String? = null): TensorBuffer = error("stub $outputName $signature")

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String? = null): Unit =
        error("stub $inputs $outputs $signature")

    companion object {
        fun create(filePath: String, options: Options, optionalEnv: Environment? = null): CompiledModel = error("stub $filePath $options $optionalEnv")

        fun create(assetManager: AssetManager, assetName: String, options: Options, optionalEnv: Environment? = null): CompiledModel =
            error("stub $assetManager $assetName $options $optionalEnv")
    }
}
