// STUB, for check.sh only and never part of the app: the few signatures of org.pytorch:executorch-android 1.4 and later that
// ExecuTorchRuntime.kt uses, so that its types can be checked where the real library is not at hand. Nothing here works.
// Since 1.4.0 upstream's Tensor and Module are Kotlin: data is read by properties, and Java's getters do not resolve from
// Kotlin. (EValue is Java there; seen from Kotlin it is as below.) Taken from the library's published sources; when its
// version in gradle/libs.versions.toml changes, compare again.
package org.pytorch.executorch

import java.nio.FloatBuffer

abstract class Tensor internal constructor() {
    fun numel(): Long = error("stub")

    fun shape(): LongArray = error("stub")

    open val dataAsFloatArray: FloatArray get() = error("stub")

    open val dataAsUnsignedByteArray: ByteArray get() = error("stub")

    companion object {
        fun allocateFloatBuffer(numElements: Int): FloatBuffer = error("stub $numElements")

        fun fromBlob(data: FloatArray, shape: LongArray): Tensor = error("stub $data $shape")

        fun fromBlob(data: FloatBuffer, shape: LongArray): Tensor = error("stub $data $shape")
    }
}

class EValue private constructor() {
    fun toTensor(): Tensor = error("stub")

    companion object {
        fun from(tensor: Tensor): EValue = error("stub $tensor")
    }
}

class MethodMetadata(val name: String, val backends: Array<String>)

open class Module private constructor() : java.io.Closeable {
    open fun forward(vararg inputs: EValue): Array<EValue> = error("stub $inputs")

    open fun loadMethod(methodName: String): Unit = error("stub $methodName")

    open fun getMethodMetadata(name: String): MethodMetadata = error("stub $name")

    open fun destroy(): Unit = error("stub")

    override fun close() = error("stub")

    companion object {
        const val LOAD_MODE_MMAP = 1

        fun load(modelPath: String?, loadMode: Int = 0, numThreads: Int = 0): Module = error("stub $modelPath $loadMode $numThreads")
    }
}
