package org.pripro.splitkit.bundle

import java.math.BigDecimal
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** Text that is not JSON. */
internal class JsonException(message: String) : Exception(message)

/** A number as the file spelled it, so that "3" and "3.5" stay apart and no digit is lost. */
internal data class JsonNumber(val text: String) {
    fun toDouble(): Double = text.toDouble()

    /** The whole number that this is, or null where it has a fraction or is too large. */
    fun toLongOrNull(): Long? {
        if (text.length > 40) return null
        return try {
            BigDecimal(text).longValueExact()
        } catch (_: ArithmeticException) {
            null
        }
    }
}

/**
 * A strict JSON reader (RFC 8259): null, Boolean, [JsonNumber], String, List or Map with keys in file order.
 *
 * Why not org.json: it accepts unquoted text, trailing garbage and a key given twice, and a reader that decides
 * whether to trust a file must not. A key given twice is an error here.
 */
internal object Json {
    private const val MAX_DEPTH = 64

    /** @throws JsonException where the text is anything else than one JSON value. */
    fun parse(text: String): Any? {
        val parser = Parser(text)
        val value = parser.value(0)
        parser.end()
        return value
    }

    /** The same of UTF-8 bytes [from] until [to]; bytes that are not UTF-8 are not JSON. */
    fun parse(data: ByteArray, from: Int = 0, to: Int = data.size): Any? = try {
        parse(Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data, from, to - from)).toString())
    } catch (_: CharacterCodingException) {
        throw JsonException("not JSON: not UTF-8")
    }

    private class Parser(private val text: String) {
        private var at = 0

        fun end() {
            blanks()
            if (at != text.length) fail("something follows the end")
        }

        fun value(depth: Int): Any? {
            if (depth > MAX_DEPTH) fail("nested too deeply")
            blanks()
            return when (peek()) {
                '{' -> obj(depth)
                '[' -> list(depth)
                '"' -> string()
                't' -> word("true", true)
                'f' -> word("false", false)
                'n' -> word("null", null)
                else -> number()
            }
        }

        private fun obj(depth: Int): Map<String, Any?> {
            val found = LinkedHashMap<String, Any?>()
            members('}') {
                if (peek() != '"') fail("a key was expected")
                val key = string()
                blanks()
                take(':')
                if (found.containsKey(key)) fail("the key \"$key\" is there twice")
                found[key] = value(depth + 1)
            }
            return found
        }

        private fun list(depth: Int): List<Any?> {
            val found = ArrayList<Any?>()
            members(']') { found.add(value(depth + 1)) }
            return found
        }

        private inline fun members(close: Char, member: () -> Unit) {
            at++
            blanks()
            if (peek() == close) {
                at++
                return
            }
            while (true) {
                blanks()
                member()
                blanks()
                if (peek() == close) {
                    at++
                    return
                }
                take(',')
            }
        }

        private fun string(): String {
            take('"')
            val out = StringBuilder()
            while (true) {
                val c = next()
                when {
                    c == '"' -> return out.toString()
                    c == '\\' -> out.append(escape())
                    c < ' ' -> fail("a control character inside a string")
                    else -> out.append(c)
                }
            }
        }

        private fun escape(): Char = when (val c = next()) {
            '"', '\\', '/' -> c
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> {
                var code = 0
                repeat(4) { code = code * 16 + (hex(next())) }
                code.toChar()
            }
            else -> fail("an unknown escape")
        }

        private fun hex(c: Char): Int = when (c) {
            in '0'..'9' -> c - '0'
            in 'a'..'f' -> c - 'a' + 10
            in 'A'..'F' -> c - 'A' + 10
            else -> fail("an unknown escape")
        }

        private fun number(): JsonNumber {
            val start = at
            if (peek() == '-') at++
            if (peek() == '0') at++ else digits()
            if (peek() == '.') {
                at++
                digits()
            }
            if (peek() == 'e' || peek() == 'E') {
                at++
                if (peek() == '+' || peek() == '-') at++
                digits()
            }
            return JsonNumber(text.substring(start, at))
        }

        private fun digits() {
            if (peek() !in '0'..'9') fail("a value was expected")
            while (peek() in '0'..'9') at++
        }

        private fun word(word: String, value: Any?): Any? {
            if (!text.startsWith(word, at)) fail("a value was expected")
            at += word.length
            return value
        }

        private fun blanks() {
            while (at < text.length && text[at] in " \t\n\r") at++
        }

        private fun peek(): Char = if (at < text.length) text[at] else '\u0000'

        private fun next(): Char = if (at < text.length) text[at++] else fail("it ends too early")

        private fun take(c: Char) {
            if (peek() != c) fail("'$c' was expected")
            at++
        }

        private fun fail(why: String): Nothing = throw JsonException("not JSON: $why at character $at")
    }
}
