# The updates that Windows lists as installed
Get-HotFix | Format-List HotFixID, Description, @{ n = 'InstalledOn'; e = { Get-Day $_.InstalledOn } }
