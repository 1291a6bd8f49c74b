# The cipher suites in effect, from Windows Server 2016 on
if (-not (Get-Command Get-TlsCipherSuite -ErrorAction SilentlyContinue)) {
    throw 'this Windows has no Get-TlsCipherSuite'
}
Get-TlsCipherSuite | Format-List Name
