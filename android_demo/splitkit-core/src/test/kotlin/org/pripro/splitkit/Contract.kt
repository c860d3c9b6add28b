package org.pripro.splitkit

import org.pripro.splitkit.bundle.Coding
import org.pripro.splitkit.bundle.Json
import org.pripro.splitkit.bundle.JsonNumber
import java.io.File

/** The files that Python, Kotlin and Swift must agree on: tests/contract of the project. */
object Contract {
    val folder = File(System.getProperty("pripro.contract") ?: "../../tests/contract")

    /** One line of fixtures.json. */
    class Entry(private val raw: Map<*, *>) {
        val file = raw["file"] as String
        val accept = raw["verdict"] == "accept"
        val kind = raw["kind"] as String
        val bundleId = raw["bundle_id"] as String?
        val mentions = (raw["mentions"] as List<*>?)?.map { it as String } ?: emptyList()
        val tensors = raw["tensors"] as List<*>?
        val bytes: ByteArray get() = File(folder, file).readBytes()
    }

    val entries: List<Entry> = (parse("fixtures.json") as List<*>).map { Entry(it as Map<*, *>) }

    fun of(kind: String): List<Entry> = entries.filter { it.kind == kind }.also { check(it.isNotEmpty()) { "no fixture of kind $kind" } }

    fun parse(file: String): Any? = Json.parse(File(folder, file).readBytes())

    fun ints(raw: Any?): List<Int> = (raw as List<*>).map { it.number().toInt() }

    fun hex(raw: Any?): ByteArray = (raw as String).chunked(2).map { it.toInt(16).toByte() }.toByteArray()

    fun coding(raw: Any?): Coding {
        val of = raw as Map<*, *>
        return Coding(
            coder = of["coder"] as String,
            tableId = of["table_id"] as String,
            precisionBits = of["precision_bits"].number().toInt(),
            levels = ints(of["levels"]),
            scale = (of["scale"] as List<*>).map { it.number() },
            zeroPoint = ints(of["zero_point"]),
            tables = (of["tables"] as List<*>).map(::ints),
            padBytes = of["pad_bytes"]?.number()?.toInt(),
        )
    }

    fun rows(file: String): List<Map<*, *>> = (parse(file) as List<*>).map { it as Map<*, *> }
}

/** A number of a parsed fixture. */
fun Any?.number(): Double = (this as JsonNumber).toDouble()

/** The message of what [block] must throw. */
inline fun <reified E : Throwable> refused(what: String, block: () -> Any?): String {
    try {
        block()
    } catch (error: Throwable) {
        if (error is E) return error.message ?: ""
        throw AssertionError("$what: ${error.javaClass.name} was thrown, ${E::class.java.name} was expected", error)
    }
    throw AssertionError("$what was accepted")
}
