package org.pripro.demo.ui

import android.content.Context
import kotlin.reflect.KProperty

/** What a person sets: where the tail listens, its token, the head in use. Private to this app and never backed up. */
class Settings(context: Context) {
    private val store = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    var url: String by text("")
    var token: String by text("")
    var head: String by text("")
    var encoding: String by text("uint8")
    var threads: Int
        get() = store.getInt("threads", 2)
        set(value) = store.edit().putInt("threads", value).apply()

    private fun text(otherwise: String) = object {
        operator fun getValue(owner: Settings, property: KProperty<*>): String =
            store.getString(property.name, otherwise) ?: otherwise

        operator fun setValue(owner: Settings, property: KProperty<*>, value: String) =
            store.edit().putString(property.name, value.trim()).apply()
    }
}
