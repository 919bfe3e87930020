# frozen_string_literal: true

# Writes the Makefile with which `gem install` lets cargo build the extension and the agent. cargo finds the workspace
# around this directory by itself, in an installed gem as in a checkout.

require "rbconfig"
require "shellwords"
require_relative "requirements"

Requirements.check

# cargo's profile; another one than release is quicker to build, for tests.
profile = ENV.fetch("PASSENGER_CARGO_PROFILE", "release")
# A target directory that outlives the installation, to build again sooner. Without it, nothing of cargo's is kept.
shared = ENV.fetch("PASSENGER_CARGO_TARGET_DIR", nil)
target = File.expand_path(shared || "target", __dir__)
# Ruby's ABI is part of the path, so that another Ruby does not take this extension for its own.
abi = RbConfig::CONFIG.values_at("MAJOR", "MINOR").join(".")
output = File.join(target, profile == "dev" ? "debug" : profile)

File.write("Makefile", <<~MAKE)
  export RUBY = #{RbConfig.ruby}
  #{"export BINDGEN_EXTRA_CLANG_ARGS += #{Requirements.clang_arguments}" if Requirements.clang_arguments}
  sitearchdir = #{RbConfig::CONFIG['sitearchdir']}
  folder = $(DESTDIR)$(sitearchdir)/passenger

  all:
  \tcargo build --locked --profile #{profile} --target-dir #{target.shellescape} -p passenger-ruby -p passenger-agent

  install: all
  \tmkdir -p "$(folder)/#{abi}"
  \tinstall -m 755 #{File.join(output, 'libpassenger_ruby.so').shellescape} "$(folder)/#{abi}/passenger_ruby.so"
  \tinstall -m 755 #{File.join(output, 'passenger-agent').shellescape} "$(folder)/passenger-agent"
  \t#{"rm -rf #{target.shellescape}" unless shared}

  clean:

  .PHONY: all install clean
MAKE
