package org.pripro.splitkit.bundle

import org.pripro.splitkit.BundleRefused
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** One tensor of a golden file: dtype F32 or I64, shape, and its little-endian bytes inside [file]. */
internal class GoldenTensor(
    val dtype: String,
    val shape: List<Int>,
    private val file: ByteArray,
    private val start: Int,
    private val length: Int,
) {
    /** How many values one row, that is one index of the first axis, has. */
    val rowValues: Int get() = shape.drop(1).fold(1) { product, size -> Math.multiplyExact(product, size) }

    /** Copies row [index] of an F32 tensor. */
    fun row(index: Int): FloatArray {
        check(dtype == "F32") { "a row of floats was asked of $dtype" }
        return FloatArray(rowValues).also { view(index * rowValues * 4, rowValues * 4).asFloatBuffer().get(it) }
    }

    /** Copies all of an I64 tensor. */
    fun longs(): LongArray {
        check(dtype == "I64") { "whole numbers were asked of $dtype" }
        return LongArray(length / 8).also { view(0, length).asLongBuffer().get(it) }
    }

    private fun view(at: Int, bytes: Int): ByteBuffer = ByteBuffer.wrap(file, start + at, bytes).order(ByteOrder.LITTLE_ENDIAN)
}

/** Reads safetensors files; tests/contract/README.md specifies the bytes. */
internal object Safetensors {
    private const val MAX_HEADER = 1L shl 20
    private val ITEM_BYTES = mapOf("F32" to 4L, "I64" to 8L)

    /**
     * @param name the file's name, for messages.
     * @throws BundleRefused where lengths, shapes and bytes do not fit each other.
     */
    fun read(name: String, file: ByteArray): Map<String, GoldenTensor> {
        fun refuse(why: String): Nothing = throw BundleRefused("$name is damaged ($why); copy the bundle into the app again.")
        if (file.size < 8) refuse("it is too short for a header")
        val length = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong(0)
        if (length !in 0..minOf(MAX_HEADER, file.size - 8L)) refuse("its header is longer than the file")
        val header = try {
            Json.parse(file, 8, 8 + length.toInt()) as? Map<*, *>
        } catch (error: JsonException) {
            refuse("its header is ${error.message}")
        } ?: refuse("its header is no object")
        val start = 8 + length.toInt()
        val room = file.size - start
        val found = LinkedHashMap<String, GoldenTensor>()
        var end = 0L
        for ((key, entry) in header.entries.filter { it.key != "__metadata__" }.sortedBy { begin(it.value) }) {
            val fields = Fields.of("$name: $key", entry)
            val dtype = fields.text("dtype")
            val item = ITEM_BYTES[dtype] ?: refuse("$key is $dtype, F32 or I64 was expected")
            val shape = fields.ints("shape")
            val offsets = fields.ints("data_offsets")
            fields.done()
            if (offsets.size != 2 || offsets[0].toLong() != end || offsets[1] < offsets[0] || offsets[1] > room) {
                refuse("the bytes of $key lie outside or overlap")
            }
            end = offsets[1].toLong()
            if (byteCount(shape, item) != end - offsets[0]) refuse("the bytes of $key do not fit its shape")
            found[key as String] = GoldenTensor(dtype, shape, file, start + offsets[0], offsets[1] - offsets[0])
        }
        if (end != room.toLong()) refuse("bytes follow its last tensor")
        return found
    }

    /** The names of the golden rows, such as "photo"; empty in files that name none. The file must have been read before. */
    fun rowNames(file: ByteArray): List<String> {
        val length = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong(0)
        val metadata = (Json.parse(file, 8, 8 + length.toInt()) as Map<*, *>)["__metadata__"] as? Map<*, *>
        val rows = metadata?.get("rows") as? String ?: return emptyList()
        return (Json.parse(rows) as? List<*>)?.mapNotNull { it as? String } ?: emptyList()
    }

    private fun begin(entry: Any?): Long {
        val offsets = (entry as? Map<*, *>)?.get("data_offsets") as? List<*>
        return (offsets?.firstOrNull() as? JsonNumber)?.toLongOrNull() ?: -1
    }

    /** Bytes that a shape takes, or -1 where a size is negative or the product leaves 64 bits. */
    private fun byteCount(shape: List<Int>, item: Long): Long = try {
        if (shape.any { it < 0 }) -1 else shape.fold(item) { product, size -> Math.multiplyExact(product, size.toLong()) }
    } catch (_: ArithmeticException) {
        -1
    }
}
