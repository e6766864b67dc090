"""What ``vf-eval hf-procedural-verifiers`` looks for: verifiers finds tasksets by the name of a module without dots."""

from hf_procedural.environments.verifiers import ChatHarness, ProceduralEnv, ProceduralTaskset

__all__ = ["ChatHarness", "ProceduralEnv", "ProceduralTaskset"]
