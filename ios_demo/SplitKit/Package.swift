// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "SplitKit",
    platforms: [.iOS("17.4"), .macOS("14.4"), .macCatalyst("17.4")],
    products: [
        .library(name: "SplitKit", targets: ["SplitKit"]),
        .library(name: "SplitKitCoreML", targets: ["SplitKitCoreML"]),
        .executable(name: "splitkit-parity", targets: ["splitkit-parity"]),
        .executable(name: "splitkit-noise", targets: ["splitkit-noise"]),
    ],
    targets: [
        .target(name: "SplitKit"),
        .target(name: "SplitKitCoreML", dependencies: ["SplitKit"]),
        .executableTarget(name: "splitkit-parity", dependencies: ["SplitKit", "SplitKitCoreML"]),
        .executableTarget(name: "splitkit-noise", dependencies: ["SplitKit"]),
        .testTarget(name: "SplitKitTests", dependencies: ["SplitKit"]),
    ],
    swiftLanguageModes: [.v6]
)
