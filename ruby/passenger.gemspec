# frozen_string_literal: true

require_relative "lib/passenger/version"

# The gem's root is this directory: here in a checkout, or where `rake gem` stages it together with the crates that
# `gem install` builds.
Gem::Specification.new do |spec|
  spec.name = "passenger"
  spec.version = Passenger::VERSION
  spec.summary = "Application server for Ruby: easy, stable and fast"
  spec.description = <<~TEXT
    Passenger keeps a pool of your application's processes, forked from one that loaded it once, behind an HTTP server
    written in Rust. `passenger start` serves any Rack or Rails application.
  TEXT
  spec.authors = ["The Passenger authors"]
  spec.homepage = "https://github.com/phusion/passenger"
  spec.license = "MIT"
  spec.metadata = {
    "changelog_uri" => "#{spec.homepage}/blob/main/CHANGELOG.md",
    "rubygems_mfa_required" => "true"
  }

  spec.required_ruby_version = ">= 3.1"
  spec.files = Dir.glob("{lib,exe,ext,native,agent}/**/*", base: __dir__) +
               Dir.glob("{Cargo.toml,Cargo.lock,LICENSE,README.md,CHANGELOG.md}", base: __dir__)
  spec.files.select! { |path| File.file?(File.join(__dir__, path)) }
  spec.bindir = "exe"
  spec.executables = ["passenger"]
  spec.extensions = ["ext/passenger/extconf.rb"]
end
