import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

/// Where something ran. Unknown things say "unknown"; a host is never called a device.
public struct Device: Record {
    public enum Kind: String, CaseIterable, JSONConvertible, Sendable {
        case host, android, ios, macos, emulated
    }

    public var kind: Kind
    public var model: String
    public var os: String
    public var cpu: String
    public var cores: Int

    public init(kind: Kind, model: String, os: String, cpu: String, cores: Int) {
        self.kind = kind
        self.model = model
        self.os = os
        self.cpu = cpu
        self.cores = cores
    }

    public init(_ fields: Fields) throws {
        kind = try fields.value("kind", Read.choice)
        model = try fields.value("model", Read.string)
        os = try fields.value("os", Read.string)
        cpu = try fields.value("cpu", Read.string)
        cores = try fields.value("cores", Read.integer)
    }

    public var json: JSON {
        ["kind": kind.json, "model": model.json, "os": os.json, "cpu": cpu.json, "cores": cores.json]
    }

    /// The machine that this code runs on.
    public static var current: Device {
        var system = utsname()
        uname(&system)
        let machine = withUnsafeBytes(of: &system.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let process = ProcessInfo.processInfo
        return Device(
            kind: here, model: setting("hw.model") ?? machine, os: "\(osName) \(process.operatingSystemVersionString)",
            cpu: setting("machdep.cpu.brand_string") ?? machine, cores: process.processorCount)
    }

    #if targetEnvironment(simulator)
        private static let here = Kind.emulated
        private static let osName = "iOS Simulator"
    #elseif os(iOS) && !targetEnvironment(macCatalyst)
        private static let here = Kind.ios
        private static let osName = "iOS"
    #elseif os(macOS) || targetEnvironment(macCatalyst)
        private static let here = Kind.macos
        private static let osName = "macOS"
    #else
        private static let here = Kind.host
        private static let osName = "Linux"
    #endif

    /// A value that the kernel reports, where there is one; on iPhones `hw.machine` (uname) says more than `hw.model`.
    private static func setting(_ name: String) -> String? {
        #if os(macOS) || targetEnvironment(macCatalyst)
            var size = 0
            guard sysctlbyname(name, nil, &size, nil, 0) == 0, size > 1 else { return nil }
            var bytes = [UInt8](repeating: 0, count: size)
            guard sysctlbyname(name, &bytes, &size, nil, 0) == 0 else { return nil }
            return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        #else
            return nil
        #endif
    }
}

/// State of the machine at one moment; nil where it is not reported.
public struct Condition: Record {
    public var governor: String?
    public var temperatureC: Double?
    public var thermalStatus: String?
    public var batteryPercent: Double?
    public var loadAverage: Double?

    /// The present state; only UIKit knows the battery's level, so it comes from the app.
    public init(batteryPercent: Double? = nil) {
        self.batteryPercent = batteryPercent
        thermalStatus = Self.thermal
        var load = 0.0
        loadAverage = getloadavg(&load, 1) == 1 ? load : nil
    }

    public init(_ fields: Fields) throws {
        governor = try fields.optional("governor", mayBeAbsent: true, Read.string)
        temperatureC = try fields.optional("temperature_c", mayBeAbsent: true, Read.number)
        thermalStatus = try fields.optional("thermal_status", mayBeAbsent: true, Read.string)
        batteryPercent = try fields.optional("battery_percent", mayBeAbsent: true, Read.number)
        loadAverage = try fields.optional("load_average", mayBeAbsent: true, Read.number)
    }

    public var json: JSON {
        [
            "governor": governor.json, "temperature_c": temperatureC.json, "thermal_status": thermalStatus.json,
            "battery_percent": batteryPercent.json, "load_average": loadAverage.json,
        ]
    }

    private static var thermal: String? {
        #if canImport(Darwin)
            switch ProcessInfo.processInfo.thermalState {
            case .nominal: return "nominal"
            case .fair: return "fair"
            case .serious: return "serious"
            case .critical: return "critical"
            @unknown default: return nil
            }
        #else
            return nil
        #endif
    }
}
