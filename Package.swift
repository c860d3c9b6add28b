// swift-tools-version: 6.1
import PackageDescription

// The iOS half of this repository, here at its root so that SwiftPM and Xcode can take it by the repository's address.
// Heads on ExecuTorch are a trait, because its package is large and comes by branch, which a package taken by version may not
// depend on: .package(url: ..., branch: "main", traits: ["ExecuTorch"]). Without the trait it is not even looked up.
let kit = "ios_demo/SplitKit"

let package = Package(
    name: "SplitKit",
    platforms: [.iOS("17.4"), .macOS("14.4"), .macCatalyst("17.4")],
    products: [
        .library(name: "SplitKit", targets: ["SplitKit"]),
        .library(name: "SplitKitCoreML", targets: ["SplitKitCoreML"]),
        .library(name: "SplitKitCoreAI", targets: ["SplitKitCoreAI"]),
        .library(name: "SplitKitExecuTorch", targets: ["SplitKitExecuTorch"]),
        .executable(name: "splitkit-parity", targets: ["splitkit-parity"]),
        .executable(name: "splitkit-noise", targets: ["splitkit-noise"]),
    ],
    traits: [.trait(name: "ExecuTorch", description: "Heads on ExecuTorch: the library SplitKitExecuTorch")],
    dependencies: [
        // the version of the executorch package that made the head: file format and kernels move together
        .package(url: "https://github.com/pytorch/executorch.git", branch: "swiftpm-1.5.1")
    ],
    targets: [
        .target(name: "SplitKit", path: "\(kit)/Sources/SplitKit"),
        .target(name: "SplitKitCoreML", dependencies: ["SplitKit"], path: "\(kit)/Sources/SplitKitCoreML"),
        // empty where the SDK has no Core AI, which came with iOS 27
        .target(name: "SplitKitCoreAI", dependencies: ["SplitKit"], path: "\(kit)/Sources/SplitKitCoreAI"),
        .target(
            name: "SplitKitExecuTorch",
            dependencies: [
                "SplitKit",
                .product(name: "executorch", package: "executorch", condition: .when(traits: ["ExecuTorch"])),
                .product(name: "backend_xnnpack", package: "executorch", condition: .when(traits: ["ExecuTorch"])),
                .product(name: "kernels_optimized", package: "executorch", condition: .when(traits: ["ExecuTorch"])),
            ],
            path: "\(kit)/Sources/SplitKitExecuTorch"),
        .executableTarget(
            name: "splitkit-parity", dependencies: ["SplitKit", "SplitKitCoreML", "SplitKitCoreAI"],
            path: "\(kit)/Sources/splitkit-parity"),
        .executableTarget(name: "splitkit-noise", dependencies: ["SplitKit"], path: "\(kit)/Sources/splitkit-noise"),
        .testTarget(name: "SplitKitTests", dependencies: ["SplitKit"], path: "\(kit)/Tests/SplitKitTests"),
    ],
    swiftLanguageModes: [.v6]
)
