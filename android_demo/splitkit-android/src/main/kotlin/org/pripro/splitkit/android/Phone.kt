package org.pripro.splitkit.android

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import org.pripro.splitkit.bench.Condition
import org.pripro.splitkit.bench.Device
import org.pripro.splitkit.bench.PhoneState
import java.io.File
import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone

/** What an app may know of this phone without any permission. */
public class Phone(private val context: Context) : PhoneState {
    override val device: Device = Device(
        kind = if (Build.HARDWARE in setOf("ranchu", "goldfish", "cutf_cvm")) "emulated" else "android",
        model = "${Build.MANUFACTURER} ${Build.MODEL}",
        os = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        cpu = "${Build.SUPPORTED_ABIS.firstOrNull() ?: "unknown"}, ${Build.HARDWARE}",
        cores = Runtime.getRuntime().availableProcessors(),
    )

    /** The temperature is the battery's, the only one that Android shows to apps. */
    override fun condition(): Condition {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, -1) ?: -1
        val scale = battery?.getIntExtra(BatteryManager.EXTRA_SCALE, -1) ?: -1
        val tenths = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, Int.MIN_VALUE) ?: Int.MIN_VALUE
        return Condition(
            governor = line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            temperatureC = if (tenths == Int.MIN_VALUE) null else tenths / 10.0,
            thermalStatus = thermalStatus(),
            batteryPercent = if (level < 0 || scale <= 0) null else 100.0 * level / scale,
        )
    }

    /** The most that this process ever held in memory, as the kernel counts it. */
    override fun peakMemoryBytes(): Long? = try {
        File("/proc/self/status").useLines { lines ->
            lines.firstOrNull { it.startsWith("VmHWM:") }?.filter { it.isDigit() }?.toLongOrNull()?.times(1024)
        }
    } catch (_: IOException) {
        null
    }

    override fun nowUtc(): String {
        val format = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT)
        format.timeZone = TimeZone.getTimeZone("UTC")
        return format.format(Date())
    }

    private fun thermalStatus(): String? {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return null
        val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
        return when (power.currentThermalStatus) {
            PowerManager.THERMAL_STATUS_NONE -> "none"
            PowerManager.THERMAL_STATUS_LIGHT -> "light"
            PowerManager.THERMAL_STATUS_MODERATE -> "moderate"
            PowerManager.THERMAL_STATUS_SEVERE -> "severe"
            PowerManager.THERMAL_STATUS_CRITICAL -> "critical"
            PowerManager.THERMAL_STATUS_EMERGENCY -> "emergency"
            else -> "shutdown"
        }
    }

    private fun line(path: String): String? = try {
        File(path).readText().trim().ifEmpty { null }
    } catch (_: IOException) {
        null
    } catch (_: SecurityException) {
        null
    }
}
