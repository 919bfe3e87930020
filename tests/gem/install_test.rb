# frozen_string_literal: true

require "minitest/autorun"
require "net/http"
require "socket"
require_relative "installed_gem"

InstalledGem.install

# The gem as a user meets it. Run by `rake test:gem`.
class GemInstallTest < Minitest::Test
  BOOT_SECONDS = 30
  GEMFILE = %(gem "passenger"\ngem "rack"\n)
  ABI = RbConfig::CONFIG.values_at("MAJOR", "MINOR").join(".")
  # Stands in for the agent and shows what it would be given.
  SHOW_ENVIRONMENT = "/usr/bin/env"

  def test_installs_the_command_the_extension_and_the_agent
    ["#{ABI}/passenger_ruby.so", "passenger-agent"].each do |file|
      assert_path_exists File.join(InstalledGem.folder, "lib/passenger", file)
    end
    assert_path_exists File.join(InstalledGem.home, "bin/passenger")
  end

  def test_leaves_no_build_products_behind
    assert_empty Dir.glob("#{InstalledGem.folder}/**/target")
  end

  def test_tells_its_version
    output, success = InstalledGem.capture("passenger", "version")

    assert success, output
    assert_match(/\APhusion Passenger.* #{Regexp.escape(InstalledGem.cargo_version)}$/, output.lines.first)
    assert_equal "passenger-#{InstalledGem.cargo_version}", File.basename(InstalledGem.folder)
  end

  def test_serves_an_application
    in_app { |dir| assert_equal "Hello from the gem", serve("passenger", dir:) }
  end

  # Another Ruby that installs the gem into the same GEM_HOME leaves nothing but its own extension in the gem's folder.
  def test_finds_the_extension_where_rubygems_keeps_it
    folder = "#{InstalledGem.folder}/lib/passenger/#{ABI}"
    File.rename(folder, "#{folder}.aside")
    in_app { |dir| assert_equal "Hello from the gem", serve("passenger", dir:) }
  ensure
    File.rename("#{folder}.aside", folder)
  end

  def test_serves_an_application_under_bundler
    in_app("Gemfile" => GEMFILE) do |dir|
      assert_equal "Hello from the gem", serve("bundle", "exec", "passenger", dir:)
    end
  end

  def test_keeps_its_own_bundler_from_the_applications
    in_app("Gemfile" => GEMFILE) do |dir|
      output, success = InstalledGem.capture("bundle", "exec", "passenger", dir:, PASSENGER_AGENT: SHOW_ENVIRONMENT,
                                                                            RUBYOPT: "-W0", BUNDLE_WITHOUT: "test")

      assert success, output
      refute_match(/bundler|BUNDLE_GEMFILE/, output)
      assert_match(/^RUBYOPT=-W0$/, output)
      assert_match(/^BUNDLE_WITHOUT=test$/, output)
      assert_match(%r{^PASSENGER_RUBY_LIBDIR=#{InstalledGem.folder}/lib$}, output)
      assert_match(/^PASSENGER_DEFAULT_RUBY=#{RbConfig.ruby}$/, output)
    end
  end

  def test_says_what_to_do_when_the_agent_is_missing
    output, success = InstalledGem.capture("passenger", "version", PASSENGER_AGENT: "/nowhere/passenger-agent")

    refute success
    assert_match(%r{is missing; looked for\s+/nowhere/passenger-agent\s+Reinstall the gem with}, output)
  end

  def test_says_what_is_missing_to_build_it
    Dir.mktmpdir do |empty|
      output, success = InstalledGem.capture(RbConfig.ruby, "extconf.rb", dir: "#{InstalledGem.folder}/ext/passenger",
                                                                          PATH: empty)

      refute success
      assert_match(/Rust [\d.]+ or later is missing.\nInstall it from/, output)
    end
  end

  private

  def in_app(files = {})
    Dir.mktmpdir("passenger-gem-app") do |dir|
      app = "run ->(_env) { [200, { 'content-type' => 'text/plain' }, ['Hello from the gem']] }\n"
      { "config.ru" => app, **files }.each { |name, content| File.write(File.join(dir, name), content) }
      yield dir
    end
  end

  # The body of GET / of the app in +dir+, served by +command+ start.
  def serve(*command, dir:)
    port = Addrinfo.tcp("127.0.0.1", 0).bind { |socket| socket.local_address.ip_port }
    log = File.join(dir, "log")
    pid = Process.spawn(InstalledGem.environment, *command, "start", "-a", "127.0.0.1", "-p", port.to_s,
                        chdir: dir, pgroup: true, out: log, err: %i[child out])
    answer(port, pid) || flunk("#{command.join(' ')} start did not answer:\n#{File.read(log)}")
  ensure
    stop(pid)
  end

  # Nil when the server ended or did not answer in time.
  def answer(port, pid)
    (BOOT_SECONDS * 10).times do
      return Net::HTTP.get(URI("http://127.0.0.1:#{port}/"))
    rescue SystemCallError, EOFError
      return if Process.wait(pid, Process::WNOHANG)

      sleep 0.1
    end
    nil
  end

  def stop(pid)
    Process.kill("TERM", pid)
    Process.wait(pid)
  rescue Errno::ESRCH, Errno::ECHILD
    nil
  end
end
