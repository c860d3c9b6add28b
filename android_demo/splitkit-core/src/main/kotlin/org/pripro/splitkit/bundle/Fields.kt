package org.pripro.splitkit.bundle

import org.pripro.splitkit.BundleRefused

/**
 * One JSON object, read key by key; [done] refuses keys that nobody asked for.
 *
 * @param where names the object in messages, such as "heads.0".
 */
internal class Fields private constructor(private val where: String, private val values: Map<String, Any?>) {
    private val asked = HashSet<String>()

    fun has(key: String): Boolean = values.containsKey(key)

    /** The value, of whatever type. */
    fun anything(key: String): Any? = raw(key)

    fun text(key: String): String = textOrNull(key) ?: refuse(key, "must be text")

    fun textOrNull(key: String): String? = when (val value = raw(key)) {
        null -> null
        is String -> value
        else -> refuse(key, "must be text")
    }

    fun match(key: String, pattern: Regex, wanted: String): String {
        val value = text(key)
        if (!pattern.matches(value)) refuse(key, "must be $wanted, not \"$value\"")
        return value
    }

    fun oneOf(key: String, vararg choices: String, otherwise: String? = null): String {
        if (otherwise != null && !has(key)) return otherwise
        val value = text(key)
        if (value !in choices) refuse(key, "must be one of ${choices.joinToString()}, not \"$value\"")
        return value
    }

    fun long(key: String, least: Long = Long.MIN_VALUE): Long = longOrNull(key, least) ?: refuse(key, "must be a whole number")

    fun longOrNull(key: String, least: Long = Long.MIN_VALUE): Long? {
        val value = raw(key) ?: return null
        val number = (value as? JsonNumber)?.toLongOrNull() ?: refuse(key, "must be a whole number")
        if (number < least) refuse(key, "must be at least $least, not $number")
        return number
    }

    fun int(key: String, least: Int = Int.MIN_VALUE): Int = toInt(key, long(key, least.toLong()))

    fun double(key: String): Double = doubleOrNull(key) ?: refuse(key, "must be a number")

    fun doubleOrNull(key: String): Double? = raw(key)?.let { toDouble(key, it) }

    fun boolean(key: String): Boolean = raw(key) as? Boolean ?: refuse(key, "must be true or false")

    fun child(key: String): Fields = childOrNull(key) ?: refuse(key, "must be an object")

    fun childOrNull(key: String): Fields? = raw(key)?.let { of(place(key), it) }

    fun list(key: String): List<Any?> = listOrNull(key) ?: refuse(key, "must be a list")

    fun listOrNull(key: String): List<Any?>? = raw(key)?.let { it as? List<*> ?: refuse(key, "must be a list") }

    fun children(key: String): List<Fields> = list(key).mapIndexed { index, item -> of("${place(key)}.$index", item) }

    fun texts(key: String): List<String> = list(key).map { it as? String ?: refuse(key, "must hold text only") }

    fun doubles(key: String): List<Double> = list(key).map { toDouble(key, it) }

    fun doublesOrNull(key: String): List<Double>? = if (has(key)) listOrNull(key)?.map { toDouble(key, it) } else null

    fun ints(key: String): List<Int> = list(key).map { whole(key, it) }

    fun intLists(key: String): List<List<Int>> = list(key).map { inner ->
        (inner as? List<*> ?: refuse(key, "must hold lists of whole numbers only")).map { whole(key, it) }
    }

    fun intOrRefuse(key: String, value: Long): Int = toInt(key, value)

    fun intsOrNull(key: String): List<Int>? = if (has(key)) listOrNull(key)?.map { whole(key, it) } else null

    /** An object whose keys are free, such as tools {name: version}. */
    fun <T> map(key: String, value: (Fields, String) -> T): Map<String, T> {
        val inner = child(key)
        return inner.values.keys.associateWith { value(inner, it) }
    }

    fun done() {
        val unknown = values.keys - asked
        if (unknown.isNotEmpty()) refuse(unknown.first(), "is a key that this app does not know")
    }

    fun refuse(key: String, why: String): Nothing =
        throw BundleRefused("${place(key)} $why; make the bundle anew with the pripro that fits this app.")

    private fun raw(key: String): Any? {
        asked.add(key)
        if (!values.containsKey(key)) refuse(key, "is missing")
        return values[key]
    }

    private fun place(key: String) = if (where.isEmpty()) key else "$where.$key"

    private fun whole(key: String, value: Any?): Int =
        toInt(key, (value as? JsonNumber)?.toLongOrNull() ?: refuse(key, "must hold whole numbers only"))

    private fun toInt(key: String, value: Long): Int =
        if (value in Int.MIN_VALUE..Int.MAX_VALUE) value.toInt() else refuse(key, "is too large")

    private fun toDouble(key: String, value: Any?): Double {
        val number = (value as? JsonNumber)?.toDouble() ?: refuse(key, "must be a number")
        if (number.isInfinite()) refuse(key, "is too large")
        return number
    }

    companion object {
        /** @throws BundleRefused where the value is not a JSON object. */
        fun of(where: String, value: Any?): Fields {
            @Suppress("UNCHECKED_CAST")
            val values = value as? Map<String, Any?> ?: throw BundleRefused("$where must be an object; make the bundle anew.")
            return Fields(where, values)
        }
    }
}
