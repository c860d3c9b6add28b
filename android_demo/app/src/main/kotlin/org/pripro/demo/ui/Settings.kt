package org.pripro.demo.ui

import android.content.Context
import org.pripro.splitkit.head.Accelerator
import kotlin.reflect.KProperty

/** What a person sets: where the tail listens, the head in use. Private to this app; backups and device transfers leave it out. */
class Settings(context: Context) {
    private val store = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    var url: String by text("")
    var head: String by text("")
    var encoding: String by text("")
    var threads: Int
        get() = store.getInt("threads", 2)
        set(value) = store.edit().putInt("threads", value).apply()

    /** In memory only: what is never written cannot be copied off the phone. */
    @Volatile var token: String = ""

    /** Also in memory only: an accelerator is used for photos once its goldens have passed since the app started. */
    @Volatile var accelerator: Accelerator = Accelerator.CPU

    private fun text(otherwise: String) = object {
        operator fun getValue(owner: Settings, property: KProperty<*>): String =
            store.getString(property.name, otherwise) ?: otherwise

        operator fun setValue(owner: Settings, property: KProperty<*>, value: String) =
            store.edit().putString(property.name, value.trim()).apply()
    }
}
