# The server as the WSUS API names it
Get-Wsus | Format-List Name, Version, ServerProtocolVersion, PortNumber, UseSecureConnection
