// Package distconsts tells the Dagger engine where its helpers live.
//
// The engine imports it by this path; the published submodule holds the values
// of Dagger's own container image, these are ours. All of them are paths of the
// engine's private file system view, which enter.sh lays out.
package distconsts

const (
	EngineContainerName   = "drydock-engine"
	DefaultEngineSockAddr = "unix:///run/drydock/engine.sock"

	RuncPath       = "/usr/sbin/runc"
	DaggerInitPath = "/run/drydock/bin/init"
	TiniPath       = "/usr/bin/tini"

	EngineDefaultStateDir  = "/run/drydock/state"
	EngineCustomCACertsDir = "/run/drydock/ca-certificates"

	EngineContainerBuiltinContentDir   = "/run/drydock/content"
	GoSDKManifestDigestEnvName         = "DAGGER_GO_SDK_MANIFEST_DIGEST"
	PythonSDKManifestDigestEnvName     = "DAGGER_PYTHON_SDK_MANIFEST_DIGEST"
	TypescriptSDKManifestDigestEnvName = "DAGGER_TYPESCRIPT_SDK_MANIFEST_DIGEST"

	AlpineVersion  = "3.22.1"
	AlpineImage    = "alpine:" + AlpineVersion
	GolangVersion  = "1.26"
	GolangImage    = "golang:" + GolangVersion + "-alpine"
	BusyboxVersion = "1.37.0"
	BusyboxImage   = "busybox:" + BusyboxVersion

	OCIVersionAnnotation = "org.opencontainers.image.version"
)
